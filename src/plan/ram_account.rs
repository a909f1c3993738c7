//! Whether an account may be used.

use super::{Reason, Verdict};

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
