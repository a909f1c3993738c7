//! Flags and environment, as plain values.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

use crate::api::Span;
use crate::controller::Environment;
use crate::lease;
use crate::ram::{Credential, Source};

/// Kubernetes operator for Alibaba Cloud RAM: users, AccessKey pairs and policies by kubectl apply.
#[derive(Debug, Parser)]
#[command(name = "ram-operator", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do. Without it: run.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator (the default).
    Run(Box<Run>),
    /// Print the custom resource definitions as YAML.
    Crds,
    /// Print the least RAM policy that the operator itself needs, as JSON.
    Policy(Policy),
    /// Print manifests of the users, groups and policies that RAM has already, as YAML. Changes nothing.
    Import(Box<Import>),
}

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Flags of `run`.
#[derive(Clone, Debug, Parser)]
pub struct Run {
    /// How logs look.
    #[arg(long, value_enum, default_value_t, env = "RAM_OPERATOR_LOG_FORMAT")]
    pub log_format: LogFormat,

    /// error, warn, info, debug or trace.
    #[arg(long, default_value = "info", env = "RAM_OPERATOR_LOG_LEVEL", value_parser = level)]
    pub log_level: String,

    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// The operator's own namespace: its credentials are taken from Secrets there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "ram-operator", value_parser = namespace)]
    pub namespace: String,

    /// A further namespace that credentials may come from. May be repeated.
    #[arg(long = "credentials-namespace", value_name = "NAMESPACE", value_parser = namespace)]
    pub credentials_namespaces: Vec<String>,

    /// Allow endpoints outside aliyuncs.com, and without TLS.
    #[arg(long)]
    pub allow_custom_endpoints: bool,

    /// Look only at objects with these labels; several operators then share a cluster.
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    pub watch_label_selector: Option<String>,

    /// How many objects are worked on at a time; two more places are kept for deletions.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,

    /// How long a deletion is tried before what is left in RAM is handed over to a RamRevocation, and the object goes.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration)]
    pub hand_over_after: Duration,

    /// Work only while holding the Lease, so that several replicas can run. Without it run exactly one.
    #[arg(
        long,
        action = ArgAction::Set,
        default_value_t = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "true|false"
    )]
    pub leader_elect: bool,

    /// Name of the Lease, in the operator's own namespace. Operators that do not stand in for each other need different ones.
    #[arg(long, default_value = "ram-operator", value_name = "NAME", value_parser = object_name)]
    pub lease_name: String,

    /// How long the Lease lasts unless it is renewed, from 6s to 10m: after this time another replica takes over from one that is gone. Below
    /// 30s a slow request to RAM may outlast it.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = lease_duration)]
    pub lease_duration: Duration,
}

impl Default for Run {
    /// As without flags, but without leader election: whoever embeds the operator runs one, or says so.
    fn default() -> Self {
        Self {
            log_format: LogFormat::Json,
            log_level: "info".to_owned(),
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            namespace: "ram-operator".to_owned(),
            credentials_namespaces: Vec::new(),
            allow_custom_endpoints: false,
            watch_label_selector: None,
            workers: 16,
            hand_over_after: Duration::from_secs(30),
            leader_elect: false,
            lease_name: "ram-operator".to_owned(),
            lease_duration: Duration::from_secs(30),
        }
    }
}

/// Flags of `import`.
#[derive(Clone, Debug, Parser)]
pub struct Import {
    /// Name of the RamAccount whose users are read, and whose credentials read them.
    #[arg(long, default_value = "default", value_name = "NAME", value_parser = object_name)]
    pub account: String,

    /// The namespace that the manifests are for.
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: String,

    /// Only users whose RAM names match; '*' stands for any characters, '?' for one.
    #[arg(long, default_value = "*", value_name = "GLOB", value_parser = name_glob)]
    pub user: String,

    /// Users alone, without manifests of their groups and custom policies.
    #[arg(long)]
    pub users_only: bool,

    /// The operator's own namespace: the RamAccount's credentials are taken from Secrets there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "ram-operator", value_name = "NAMESPACE", value_parser = namespace)]
    pub operator_namespace: String,

    /// A further namespace that credentials may come from, as the operator has it. May be repeated.
    #[arg(long = "credentials-namespace", value_name = "NAMESPACE", value_parser = namespace)]
    pub credentials_namespaces: Vec<String>,

    /// Allow endpoints outside aliyuncs.com, and without TLS.
    #[arg(long)]
    pub allow_custom_endpoints: bool,

    /// Read RAM with ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET in place of the RamAccount's credentials.
    #[arg(long)]
    pub credentials_from_environment: bool,
}

/// Flags of `policy`.
#[allow(clippy::struct_excessive_bools, reason = "flags, each read by name")]
#[derive(Clone, Debug, Parser)]
pub struct Policy {
    /// The account's number.
    #[arg(long, default_value = "*", value_name = "NUMBER", value_parser = account)]
    pub account: String,

    /// What the names of the users begin with: the RamAccount's userNamePrefix. Without it, all users.
    #[arg(long, default_value = "", value_name = "PREFIX", value_parser = prefix)]
    pub user_name_prefix: String,

    /// Globs of the system policies that may be attached, as in RamTenant.spec.attach. May be repeated.
    #[arg(long = "attach-system", value_name = "GLOB", value_parser = policy_glob)]
    pub attach_system: Vec<String>,

    /// Globs of the custom policies that may be attached. May be repeated.
    #[arg(long = "attach-custom", value_name = "GLOB", value_parser = policy_glob)]
    pub attach_custom: Vec<String>,

    /// Also for RamPolicies: to make, change and delete custom policies whose names begin with the prefix, and to attach them.
    #[arg(long)]
    pub policies: bool,

    /// Also for RamUser.spec.consoleLogin: to give, change and take away log-on to the console.
    #[arg(long)]
    pub console_login: bool,

    /// Also for `ram-operator import`: to read every user, group and policy of the account.
    #[arg(long)]
    pub import: bool,
    /// Also for RamUser.spec.virtualMfa: to make, bind and delete virtual MFA devices.
    #[arg(long)]
    pub virtual_mfa: bool,

    /// Also for RamGroups and for the groups of RamUsers: to make, change and delete groups whose names begin with the prefix, and to put
    /// users into groups.
    #[arg(long)]
    pub groups: bool,

    /// Also for RamAccount.spec.settings: to change the account's alias, its rules for passwords and log-on, and from where keys may be used.
    #[arg(long)]
    pub settings: bool,
}

/// A lone word would be taken for a module, of which there is none by that name, so that nothing would be logged.
fn level(text: &str) -> Result<String, String> {
    let lone = text.chars().all(|c| c.is_ascii_alphabetic());
    if lone && !["error", "warn", "info", "debug", "trace", "off"].contains(&text.to_ascii_lowercase().as_str()) {
        return Err("must be error, warn, info, debug, trace or a filter such as 'info,ram_operator=debug'".to_owned());
    }
    Ok(text.to_owned())
}

fn namespace(text: &str) -> Result<String, String> {
    let fits = (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a namespace: lower-case letters, digits and '-'".to_owned())
    }
}

fn object_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        Ok(text.to_owned())
    } else {
        Err("must be the name of an object: lower-case letters, digits, '-' and '.'".to_owned())
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    Span(text.to_owned()).duration().ok_or_else(|| "must be a duration such as 30s, 5m or 1h30m".to_owned())
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    // The Lease says it in whole seconds.
    let fits = (6..=lease::LONGEST.as_secs()).contains(&duration.as_secs()) && duration.subsec_nanos() == 0;
    if fits { Ok(duration) } else { Err("must be whole seconds from 6s to 10m".to_owned()) }
}

fn selector(text: &str) -> Result<String, String> {
    let fits = !text.trim().is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=!,() ".contains(c));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("must be a label selector such as 'shard=a' or 'shard in (a,b)'".to_owned())
    }
}

fn account(text: &str) -> Result<String, String> {
    let fits = text == "*" || ((10..=20).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit()));
    if fits { Ok(text.to_owned()) } else { Err("must be an account number such as 1234567890123456".to_owned()) }
}

fn prefix(text: &str) -> Result<String, String> {
    let fits = text.len() <= 20 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if fits { Ok(text.to_owned()) } else { Err("must have at most 20 letters, digits, '.', '_' or '-'".to_owned()) }
}

fn policy_glob(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-*?".contains(c));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a policy, in which '*' and '?' may stand".to_owned())
    }
}

fn name_glob(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-*?".contains(c));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a user, in which '*' and '?' may stand".to_owned())
    }
}

/// The credentials that the process's environment offers, by the names that the official libraries use.
#[must_use]
pub fn environment() -> Environment {
    let text = |name: &str| std::env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let pair = text("ALIBABA_CLOUD_ACCESS_KEY_ID").zip(text("ALIBABA_CLOUD_ACCESS_KEY_SECRET"));
    let credential = pair.map(|(access_key_id, secret)| Credential {
        access_key_id,
        access_key_secret: SecretString::from(secret),
        security_token: text("ALIBABA_CLOUD_SECURITY_TOKEN").map(SecretString::from),
        expiration: None,
    });
    let role = text("ALIBABA_CLOUD_ROLE_ARN").zip(text("ALIBABA_CLOUD_OIDC_PROVIDER_ARN"));
    let rrsa =
        role.zip(text("ALIBABA_CLOUD_OIDC_TOKEN_FILE")).map(|((role_arn, oidc_provider_arn), file)| Source::Rrsa {
            role_arn,
            oidc_provider_arn,
            token_file: PathBuf::from(file),
            session_name: text("ALIBABA_CLOUD_ROLE_SESSION_NAME").unwrap_or_else(|| "ram-operator".to_owned()),
        });
    Environment { credential, rrsa, ecs_role: text("ALIBABA_CLOUD_ECS_METADATA") }
}

/// The first line of a flag error: what is wrong, and where help is.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("wrong flags").trim();
    // Lists, such as the possible values or the missing arguments, stand on lines of their own.
    let rest = text.lines().map(str::trim).skip_while(|other| *other != line).skip(1);
    let detail: Vec<&str> = rest
        .take_while(|other| !other.starts_with("Usage") && !other.starts_with("tip") && !other.starts_with("For more"))
        .filter(|other| !other.is_empty())
        .collect();
    let more = if detail.is_empty() { String::new() } else { format!(" {}", detail.join(" ")) };
    format!("{line}{more} (see ram-operator --help)")
}
