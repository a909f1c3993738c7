//! Whether an account may be used, and how full its quotas are.

use super::{Reason, Verdict};
use crate::api::{Usage, Used, UserQuotas, UserUsage};
use crate::ram::{PolicyRef, PolicyType, Summary};

/// What is known of an account when its credentials have answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<'a> {
    /// `spec.accountId`.
    pub wanted: Option<&'a str>,
    /// `status.accountId`: pinned by the first answer.
    pub pinned: Option<&'a str>,
    /// The account that GetCallerIdentity named.
    pub answered: &'a str,
    /// An older RamAccount that is in charge of the same number.
    pub older: Option<&'a str>,
}

/// An account is its number: another one than was asked for or pinned is refused, and so is a second RamAccount for one number.
pub fn judge(seen: &Answered<'_>) -> Result<(), Verdict> {
    for expected in [seen.pinned, seen.wanted].into_iter().flatten() {
        if expected != seen.answered {
            let detail = format!("the credentials are of account {}, not of {expected}", seen.answered);
            return Err(Verdict::new(Reason::WrongAccount).about(detail));
        }
    }
    match seen.older {
        Some(name) => Err(Verdict::new(Reason::AccountAlreadyManaged).about(format!("RamAccount {name}"))),
        None => Ok(()),
    }
}

/// How much of its quotas an account uses.
#[must_use]
pub fn usage(summary: &Summary) -> Usage {
    Usage {
        users: Used { used: summary.users, quota: summary.users_quota },
        groups: used(summary.groups, summary.groups_quota),
        policies: used(summary.policies, summary.policies_quota),
        virtual_mfa_devices: used(summary.mfa_devices, summary.virtual_mfa_devices_quota),
        per_user: Some(UserQuotas {
            access_keys: summary.access_keys_per_user_quota,
            groups: summary.groups_per_user_quota,
            system_policies: summary.attached_system_policies_per_user_quota,
            custom_policies: summary.attached_policies_per_user_quota,
        })
        .filter(|quotas| *quotas != UserQuotas::default()),
    }
}

/// How much of its quotas a user uses that has so many keys, and is in so many groups if that is known.
#[must_use]
pub fn user_usage(
    quotas: &UserQuotas,
    keys: usize,
    policies: &[PolicyRef],
    groups: Option<usize>,
) -> Option<UserUsage> {
    let attached = |kind| policies.iter().filter(|policy| policy.kind == kind).count();
    let usage = UserUsage {
        access_keys: used(count(keys), quotas.access_keys),
        groups: used(groups.and_then(count), quotas.groups),
        system_policies: used(count(attached(PolicyType::System)), quotas.system_policies),
        custom_policies: used(count(attached(PolicyType::Custom)), quotas.custom_policies),
    };
    Some(usage).filter(|usage| *usage != UserUsage::default())
}

fn used(used: Option<i64>, quota: Option<i64>) -> Option<Used> {
    Some(Used { used: used?, quota: quota? })
}

fn count(items: usize) -> Option<i64> {
    i64::try_from(items).ok()
}

/// What an account has little room left for: nine tenths or more are in use.
#[must_use]
pub fn nearly_out(usage: &Usage) -> Vec<&'static str> {
    let low = |used: &Used| used.quota > 0 && used.used >= used.quota - used.quota / 10;
    let all = [
        ("RAM users", Some(&usage.users)),
        ("groups", usage.groups.as_ref()),
        ("custom policies", usage.policies.as_ref()),
    ];
    all.into_iter().filter(|(_, used)| used.is_some_and(low)).map(|(what, _)| what).collect()
}

/// The alias that stands in an account's default domain; without one the account's number stands there.
#[must_use]
pub fn alias_in(domain: &str, account_id: &str) -> Option<String> {
    domain.strip_suffix(".onaliyun.com").filter(|alias| *alias != account_id).map(str::to_owned)
}

/// Whether an endpoint may be used without the operator's consent: TLS, and a host of RAM, IMS or STS.
///
/// Other names below aliyuncs.com are handed out to customers, as for buckets and functions.
#[must_use]
pub fn endpoint_is_public(url: &str) -> bool {
    let host = url.strip_prefix("https://").map(|rest| rest.trim_end_matches('/'));
    let Some(labels) = host.and_then(|host| host.strip_suffix(".aliyuncs.com")) else { return false };
    let (product, place) = labels.split_once('.').unwrap_or((labels, ""));
    ["ram", "ims", "sts", "sts-vpc"].contains(&product) && (["", "vpc-proxy"].contains(&place) || is_region(place))
}

fn is_region(text: &str) -> bool {
    let (continent, rest) = text.split_once('-').unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ["ap", "cn", "eu", "me", "na", "us"].contains(&continent) && !rest.is_empty() && rest.chars().all(plain)
}

/// Whether text looks like an AccessKeyId; anything else is sent nowhere.
#[must_use]
pub fn looks_like_key_id(id: &str) -> bool {
    (16..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_account_is_refused_before_anything_else() {
        let seen = Answered { wanted: None, pinned: None, answered: "1", older: None };
        assert!(judge(&seen).is_ok());
        assert!(judge(&Answered { pinned: Some("1"), wanted: Some("1"), ..seen.clone() }).is_ok());
        let refused = |seen: Answered<'_>| judge(&seen).expect_err("refused").reason;
        assert_eq!(refused(Answered { pinned: Some("2"), older: Some("old"), ..seen.clone() }), Reason::WrongAccount);
        assert_eq!(refused(Answered { wanted: Some("2"), ..seen.clone() }), Reason::WrongAccount);
        assert_eq!(refused(Answered { older: Some("old"), ..seen }), Reason::AccountAlreadyManaged);
    }

    #[test]
    fn room_is_little_from_nine_tenths_on() {
        let part = |used, quota| Used { used, quota };
        let low = |users, groups, policies| nearly_out(&Usage { users, groups, policies, ..Usage::default() });
        assert_eq!(low(part(4499, 5000), None, None), Vec::<&str>::new());
        assert_eq!(
            low(part(4500, 5000), Some(part(269, 300)), Some(part(1500, 1500))),
            ["RAM users", "custom policies"]
        );
        assert_eq!(low(part(1, 2), Some(part(270, 300)), None), ["groups"]);
        // A quota that makes no sense says nothing.
        assert_eq!(low(part(0, 0), Some(part(7, 0)), Some(part(7, -1))), Vec::<&str>::new());
    }

    #[test]
    fn a_user_shows_what_is_known_of_its_quotas() {
        let policy = |kind, name: &str| PolicyRef { kind, name: name.to_owned() };
        let policies =
            [policy(PolicyType::System, "a"), policy(PolicyType::Custom, "b"), policy(PolicyType::Custom, "c")];
        let quotas =
            UserQuotas { access_keys: Some(2), custom_policies: Some(10), groups: Some(10), ..UserQuotas::default() };
        let shown = user_usage(&quotas, 1, &policies, None).expect("something");
        assert_eq!((shown.access_keys, shown.groups), (Some(Used { used: 1, quota: 2 }), None));
        assert_eq!((shown.system_policies, shown.custom_policies), (None, Some(Used { used: 2, quota: 10 })));
        let shown = user_usage(&quotas, 0, &[], Some(3)).expect("something");
        assert_eq!(shown.groups, Some(Used { used: 3, quota: 10 }));
        assert_eq!(user_usage(&UserQuotas::default(), 1, &policies, Some(1)), None);
    }

    #[test]
    fn the_default_domain_tells_the_alias() {
        assert_eq!(alias_in("acme.onaliyun.com", "1").as_deref(), Some("acme"));
        assert_eq!(alias_in("1234567890123456.onaliyun.com", "1234567890123456"), None);
        assert_eq!(alias_in("acme.example.com", "1"), None);
    }

    #[test]
    fn only_hosts_of_alibaba_cloud_are_public() {
        for (url, public) in [
            ("https://ram.aliyuncs.com", true),
            ("https://sts-vpc.cn-hangzhou.aliyuncs.com/", true),
            ("http://ram.aliyuncs.com", false),
            ("https://evil.com/.aliyuncs.com", false),
            ("https://evil.com?x=.aliyuncs.com", false),
            ("https://aliyuncs.com.evil.com", false),
            ("https://xaliyuncs.com", false),
            ("https://ram.vpc-proxy.aliyuncs.com", true),
            ("https://sts.oss-cn-hangzhou.aliyuncs.com", false),
            ("https://mine.cn-hangzhou.fc.aliyuncs.com", false),
            ("https://ram.aliyuncs.com@evil.com", false),
        ] {
            assert_eq!(endpoint_is_public(url), public, "{url}");
        }
    }

    #[test]
    fn key_ids() {
        assert!(looks_like_key_id("LTAI5tExampleExample0001"));
        assert!(looks_like_key_id("STS.NUexampleexample"));
        assert!(!looks_like_key_id("hunter2"));
        assert!(!looks_like_key_id("LTAI5tExample Example001"));
    }
}
