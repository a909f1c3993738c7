//! `ram-operator import`: prints manifests of what is in RAM already. Reads only, in RAM and in the cluster.
//!
//! ```text
//! RamAccount ─► its credentials ─► ListUsers ─► of each user, then of each group and policy: what it has ─► [`manifests`] ─► YAML
//! ```

mod fields;
mod manifests;
mod names;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};

use self::manifests::{Asked, Found, FoundGroup, FoundUser, LeftOut, Object, What, group_stays, user_stays};
use crate::api::{CredentialSource, Credentials, RamAccount, RamGroup, RamPolicy, RamUser};
use crate::clock::Clock;
use crate::config::Import;
use crate::controller::credentials::{Access, quota_share};
use crate::controller::{self, Environment, Settings};
use crate::plan::names::fits;
use crate::plan::ram_account::{Answered, judge};
use crate::plan::{Reason, Verdict};
use crate::ram::{self, Budget, Class, LoginProfile, PolicyDetail, PolicyRef, PolicyType, User};
use crate::run;

/// Users, groups or policies read at a time.
const READERS: usize = 8;
/// How often a call waits out that RAM limits the rate; the client itself has waited before.
const THROTTLED: u32 = 20;
/// The shortest and the longest wait before a call is made again.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// Told how far it is, a line at a time.
pub type Say<'a> = &'a dyn Fn(&str);

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to a cluster.
    #[error(transparent)]
    NoCluster(#[from] run::Error),
    /// The RamAccount is not there.
    #[error(
        "there is no RamAccount {0} in this cluster. `kubectl get ramaccounts` shows what there is; name one by --account"
    )]
    NoAccount(String),
    /// It may not be read.
    #[error(
        "the cluster does not let you read the RamAccount {0}. Ask for the right to get ramaccounts.ram-operator.dev"
    )]
    AccountForbidden(String),
    /// The Secret with its pair may not be read.
    #[error(
        "the cluster does not let you read the Secret {0}, which has the account's AccessKey pair. Ask for the right, or put a pair that may read RAM into ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET and add --credentials-from-environment"
    )]
    SecretForbidden(String),
    /// The Secret, or something in it, is not there.
    #[error(
        "{0} is not there, which should have the account's AccessKey pair. Create it, name the operator's namespace by --operator-namespace, or use --credentials-from-environment"
    )]
    SecretMissing(String),
    /// What the process's environment should offer is not there.
    #[error("{0}")]
    NotHere(&'static str),
    /// The account cannot be used, for another reason.
    #[error("{0}")]
    Unusable(String),
    /// RAM, IMS or STS refused or did not answer.
    #[error("{}", of_ram(.0))]
    Ram(#[from] ram::Error),
    /// What was read cannot be written down.
    #[error("the manifests cannot be written as YAML: {0}. Please report this")]
    Yaml(String),
}

impl From<Verdict> for Error {
    fn from(verdict: Verdict) -> Self {
        Self::Unusable(verdict.message())
    }
}

/// The client's own sentences promise another attempt, which nobody makes here.
fn of_ram(error: &ram::Error) -> String {
    let action = error.action();
    match error.class() {
        Class::Transient => {
            format!(
                "RAM does not answer {action}. Check the network and the endpoints of the RamAccount, then try again"
            )
        }
        Class::Throttled | Class::Busy => format!("RAM limits the rate of {action}. Try again later"),
        Class::Denied => format!("{error}. `ram-operator policy --import` prints what an import needs"),
        _ => error.to_string(),
    }
}

/// The manifests of what is in RAM, as YAML.
///
/// # Errors
/// When account, credentials or RAM cannot be read: half of what is there is never printed for the whole.
pub async fn print(flags: &Import, environment: Environment, clock: Clock, say: Say<'_>) -> Result<String, Error> {
    let kube = run::cluster().await?.calls;
    let account = account(&kube, &flags.account).await?;
    let (client, base) = clients(&kube, flags, environment, clock, &account).await?;
    let (account_id, operators) = identity(&client, base.as_ref(), flags, &account).await?;
    let reading = Reading { client: &client, say, users_only: flags.users_only };
    let mut found = reading.all(&flags.user, account_id, &operators).await?;
    let pair = matches!(account.spec.credentials.source, CredentialSource::Secret | CredentialSource::Environment);
    found.signer_unknown = flags.credentials_from_environment && pair && operators.is_empty();
    found.objects = objects(&kube).await;
    let pinned = account.status.as_ref().and_then(|status| status.owner_id.as_deref());
    let asked = Asked {
        account: &flags.account,
        namespace: &flags.namespace,
        users: &flags.user,
        owner_id: account.spec.owner_id.as_deref().or(pinned),
    };
    manifests::document(&asked, &found).map_err(Error::Yaml)
}

async fn account(kube: &Client, name: &str) -> Result<RamAccount, Error> {
    match Api::<RamAccount>::all(kube.clone()).get_opt(name).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(Error::NoAccount(name.to_owned())),
        // A kind that nobody serves is answered in plain text, so that only the code tells.
        Err(kube::Error::Api(status)) if status.code == 404 => Err(Error::NoAccount(name.to_owned())),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Err(Error::AccountForbidden(name.to_owned())),
        Err(error) => Err(Error::Unusable(controller::error::Error::from(error).to_string())),
    }
}

/// A client for the account, with the credentials that the operator has, or those of the environment. Where it assumes a role, a second one signs with
/// what it has before.
async fn clients(
    kube: &Client,
    flags: &Import,
    environment: Environment,
    clock: Clock,
    account: &RamAccount,
) -> Result<(ram::Client, Option<ram::Client>), Error> {
    let mut spec = account.spec.clone();
    if flags.credentials_from_environment {
        spec.credentials = Credentials { source: CredentialSource::Environment, secret: None, assume_role: None };
    }
    here(flags, &environment, spec.credentials.source)?;
    let settings = Settings {
        namespace: flags.operator_namespace.clone(),
        credentials_namespaces: flags.credentials_namespaces.clone(),
        allow_custom_endpoints: flags.allow_custom_endpoints,
        environment,
        ..Settings::default()
    };
    let mut secret = String::new();
    let found = Access::find(kube, &settings, &spec, |key| secret = format!("{}/{}", key.namespace, key.name)).await;
    let access = found.map_err(|error| no_access(error, &spec.credentials, secret))?;
    let pinned = account.status.as_ref().and_then(|status| status.account_id.clone());
    let account_id = pinned.or_else(|| spec.account_id.clone());
    let config = access.config(&spec, account_id, &settings, clock, Arc::new(|_, _| ()));
    let budget = Arc::new(Budget::new(quota_share(&spec)));
    // It may be of another account.
    let base =
        config.assume_role.is_some().then(|| ram::Config { assume_role: None, account_id: None, ..config.clone() });
    let base = base.map(|config| ram::Client::new(config, Arc::clone(&budget))).transpose()?;
    Ok((ram::Client::new(config, budget)?, base))
}

/// Whether this process's environment has what the source needs.
fn here(flags: &Import, environment: &Environment, source: CredentialSource) -> Result<(), Error> {
    let pair = environment.credential.is_some();
    match source {
        CredentialSource::Environment if !pair && flags.credentials_from_environment => Err(Error::NotHere(
            "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are not set here. Set them to a pair that may read RAM",
        )),
        CredentialSource::Environment if !pair => Err(Error::NotHere(
            "the RamAccount says source: Environment, and ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are not set here. Set them, or run this in the operator's pod",
        )),
        CredentialSource::Rrsa if environment.rrsa.is_none() => Err(Error::NotHere(
            "the RamAccount says source: Rrsa, and ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE are not set here. Run this in the operator's pod, or use --credentials-from-environment",
        )),
        _ => Ok(()),
    }
}

fn no_access(error: controller::error::Error, credentials: &Credentials, secret: String) -> Error {
    use controller::error::Error as Passed;
    match error {
        Passed::Kube(error) if matches!(&*error, kube::Error::Api(status) if status.is_forbidden()) => {
            Error::SecretForbidden(secret)
        }
        Passed::Verdict(Verdict { reason: Reason::CredentialsNotFound, detail: Some(what), .. })
            if credentials.source == CredentialSource::Secret =>
        {
            Error::SecretMissing(what)
        }
        error => Error::Unusable(error.to_string()),
    }
}

/// The account's number, and the names of the users that the operator signs with. Another account than the pinned one is refused.
async fn identity(
    client: &ram::Client,
    base: Option<&ram::Client>,
    flags: &Import,
    account: &RamAccount,
) -> Result<(String, Vec<String>), Error> {
    let identity = patiently(|| client.caller_identity()).await?;
    let status = account.status.as_ref();
    judge(&Answered {
        wanted: account.spec.account_id.as_deref(),
        pinned: status.and_then(|status| status.account_id.as_deref()),
        answered: &identity.account_id,
        older: None,
    })?;
    // A pair from the environment is somebody else's than the operator's.
    let own = Some(identity.arn.as_str()).filter(|_| !flags.credentials_from_environment);
    let seen = status.and_then(|status| status.caller_arn.as_deref());
    // Who assumes a role is a user of its own, of this account or of another one.
    let base = match base {
        Some(base) => Some(patiently(|| base.caller_identity()).await?),
        None => None,
    };
    let base = base.filter(|base| base.account_id == identity.account_id).map(|base| base.arn);
    let operators = [own, seen, base.as_deref()].into_iter().flatten().filter_map(|arn| arn.split_once(":user/"));
    let operators = operators.map(|(_, name)| name.to_owned()).collect();
    Ok((identity.account_id, operators))
}

/// Names of objects in the cluster; none of a kind that may not be listed, since they only explain who manages what.
async fn objects(kube: &Client) -> Vec<Object> {
    let kinds = [
        (What::User, ApiResource::erase::<RamUser>(&())),
        (What::Group, ApiResource::erase::<RamGroup>(&())),
        (What::Policy, ApiResource::erase::<RamPolicy>(&())),
    ];
    let mut all = Vec::new();
    for (what, resource) in kinds {
        let api: Api<DynamicObject> = Api::all_with(kube.clone(), &resource);
        let Ok(list) = api.list_metadata(&ListParams::default()).await else { continue };
        all.extend(list.items.into_iter().filter_map(|object| {
            Some(Object { kind: what.kind(), namespace: object.metadata.namespace?, name: object.metadata.name? })
        }));
    }
    all
}

/// Reads RAM.
struct Reading<'a> {
    client: &'a ram::Client,
    say: Say<'a>,
    users_only: bool,
}

impl Reading<'_> {
    async fn all(&self, glob: &str, account_id: String, operators: &[String]) -> Result<Found, Error> {
        let listed = patiently(|| self.client.list_users()).await?;
        let user_names = listed.iter().map(|user| user.user_name.clone()).collect();
        let (mut wanted, mut left) = (Vec::new(), Vec::new());
        for user in listed.into_iter().filter(|user| fits(glob, &user.user_name)) {
            match user_stays(&user, operators) {
                None => wanted.push(user),
                Some(why) => left.push(LeftOut { what: What::User, name: user.user_name, why }),
            }
        }
        let domain = self.domain().await?;
        let domain = domain.as_deref();
        let users = self.each("users", wanted, |user| self.user(user, domain)).await?;
        let (mut groups, mut policies) = (Vec::new(), Vec::new());
        if !self.users_only {
            let names: BTreeSet<String> = users.iter().flat_map(|user| user.groups.iter().cloned()).collect();
            groups = self.each("groups", names.into_iter().collect(), |name| self.group(name)).await?;
            let attached = users.iter().flat_map(|user| &user.policies);
            let attached = attached.chain(groups.iter().flat_map(|group| &group.policies));
            let custom: BTreeSet<&PolicyRef> = attached.filter(|policy| policy.kind == PolicyType::Custom).collect();
            policies = self.each("policies", custom.into_iter().cloned().collect(), |one| self.policy(one)).await?;
        }
        let time = self.client.now();
        let (signer_unknown, objects) = (false, Vec::new());
        Ok(Found { account_id, time, user_names, users, groups, policies, left, signer_unknown, objects })
    }

    /// Reads some at a time, and says how far it is. What is gone by now is left out.
    async fn each<T, R, F>(&self, what: &str, items: Vec<T>, read: impl Fn(T) -> F) -> Result<Vec<R>, Error>
    where
        F: Future<Output = Result<Option<R>, ram::Error>>,
    {
        let total = items.len();
        // About twenty lines at most.
        let stride = total.div_ceil(20).max(10);
        let mut reading = futures::stream::iter(items).map(read).buffer_unordered(READERS);
        let (mut done, mut all) = (0_usize, Vec::with_capacity(total));
        while let Some(one) = reading.next().await {
            all.extend(one?);
            done = done.saturating_add(1);
            if done == total || done.is_multiple_of(stride) {
                (self.say)(&format!("read {done} of {total} {what}"));
            }
        }
        Ok(all)
    }

    /// What stands behind the `@` of names for log-on. Without the right to it RAM is asked, which knows less.
    async fn domain(&self) -> Result<Option<String>, Error> {
        match patiently(|| self.client.default_domain()).await {
            Ok(domain) => Ok(Some(domain)),
            Err(error) if matches!(error.class(), Class::WrongAccount | Class::Credentials) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    async fn user(&self, user: User, domain: Option<&str>) -> Result<Option<FoundUser>, ram::Error> {
        match self.of_user(user.clone(), domain).await {
            Err(error) if error.class() == Class::Missing => {
                // Another name for log-on looks like a user that is gone.
                match patiently(|| self.client.get_user(&user.user_name)).await? {
                    Some(_) => Err(error),
                    None => Ok(None),
                }
            }
            outcome => outcome,
        }
    }

    async fn of_user(&self, user: User, domain: Option<&str>) -> Result<Option<FoundUser>, ram::Error> {
        let name = user.user_name.as_str();
        let policies = patiently(|| self.client.list_policies_for_user(name)).await?;
        let groups = patiently(|| self.client.list_groups_for_user(name)).await?;
        let Some(keys) = patiently(|| self.client.list_access_keys(name)).await? else { return Ok(None) };
        let log_on = self.log_on(name, domain).await?;
        let policies = policies.into_iter().map(|attached| attached.policy).collect();
        Ok(Some(FoundUser { user, policies, groups, keys, log_on }))
    }

    async fn log_on(&self, name: &str, domain: Option<&str>) -> Result<Option<LoginProfile>, ram::Error> {
        match domain.map(|domain| format!("{name}@{domain}")) {
            Some(principal) => patiently(|| self.client.login_profile(&principal)).await,
            None => patiently(|| self.client.login_profile_without_status(name)).await,
        }
    }

    async fn group(&self, name: String) -> Result<Option<FoundGroup>, ram::Error> {
        let Some(group) = patiently(|| self.client.group(&name)).await? else { return Ok(None) };
        if group_stays(&group).is_some() {
            return Ok(Some(FoundGroup { group, policies: Vec::new() }));
        }
        match patiently(|| self.client.list_policies_for_group(&name)).await {
            Ok(all) => {
                let policies = all.into_iter().map(|attached| attached.policy).collect();
                Ok(Some(FoundGroup { group, policies }))
            }
            Err(error) if error.class() == Class::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn policy(&self, policy: PolicyRef) -> Result<Option<PolicyDetail>, ram::Error> {
        patiently(|| self.client.policy(&policy)).await
    }
}

/// A read that waits for the budget, and while RAM limits the rate.
async fn patiently<T, F>(read: impl Fn() -> F) -> Result<T, ram::Error>
where
    F: Future<Output = Result<T, ram::Error>>,
{
    let mut throttled = 0;
    loop {
        let error = match read().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match error.class() {
            // Our own budget, which always comes.
            Class::Busy => {}
            Class::Throttled if throttled < THROTTLED => throttled += 1,
            _ => return Err(error),
        }
        let wait = error.retry_after().unwrap_or(Duration::from_secs(1));
        tokio::time::sleep(wait.clamp(WAITS.0, WAITS.1)).await;
    }
}
