//! What can go wrong, told apart by what can be done about it.

use std::time::Duration;

/// Why a call failed. Holds no secret and nothing of RAM's `Message`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", sentence(.0))]
pub struct Error(Box<Facts>);

#[derive(Clone, Debug)]
struct Facts {
    action: &'static str,
    class: Class,
    origin: Origin,
    code: Option<String>,
    request_id: Option<String>,
    denied_action: Option<String>,
    retry_after: Option<Duration>,
    note: Option<&'static str>,
    /// Met while credentials for another call were obtained, before that one was sent.
    obtaining: bool,
}

/// How far the request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Nothing left this process.
    NotSent,
    /// Sent, as far as one can know, and no whole answer came.
    NoAnswer,
    /// Answered with this HTTP status.
    Answered(u16),
}

/// What kind of failure it is; each asks for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// RAM limits the rate. Wait, then again.
    Throttled,
    /// The operator's own budget would have made the call wait too long; [`Error::retry_after`] says how long.
    Busy,
    /// HTTP 5xx, a timeout, a lost connection, an unreadable reply. Again later.
    Transient,
    /// RAM's clock and ours differ by more than 15 minutes.
    Clock,
    /// The operator's own credentials are missing, inactive, expired or wrong.
    Credentials,
    /// The operator's own credentials belong to another account than the pinned one.
    WrongAccount,
    /// RAM does not allow the action, or is not activated for the account.
    Denied,
    /// A thing that the call names does not exist (`EntityNotExist`).
    Missing,
    /// A thing of that name exists already (`EntityAlreadyExists`).
    Exists,
    /// Something else still depends on the thing (`DeleteConflict`).
    InUse,
    /// A quota is used up (`LimitExceeded`).
    Quota,
    /// RAM refuses a value, or the call itself.
    Invalid,
}

impl Class {
    /// A short lower-case name for metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Busy => "busy",
            Self::Transient => "transient",
            Self::Clock => "clock",
            Self::Credentials => "credentials",
            Self::WrongAccount => "wrong_account",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Exists => "exists",
            Self::InUse => "in_use",
            Self::Quota => "quota",
            Self::Invalid => "invalid",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Throttled => "the rate is too high; it is tried again more slowly, lower quotaShare if this goes on",
            Self::Busy => {
                "the budget for this action is used up; it is tried again later, raise quotaShare if this goes on"
            }
            Self::Transient => "it is tried again; if this goes on, check the network and the endpoint",
            Self::Clock => "the clocks differ by more than 15 minutes; set the clock of the node",
            Self::Credentials => "check the operator's own credentials",
            Self::WrongAccount => "give the operator credentials of the account it is meant for",
            Self::Denied => {
                "allow the action in the policy of the operator's RAM identity, and check that RAM is activated"
            }
            Self::Missing => "check that what it names exists",
            Self::Exists => "choose another name or remove what has it",
            Self::InUse => "it is tried again; remove what still depends on it",
            Self::Quota => "remove what is no longer needed or ask Alibaba Cloud for a higher quota",
            Self::Invalid => "correct the value that the code names",
        }
    }
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// RAM's `Code`; absent when RAM gave none, `Unreadable` when it was no plain code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Whether RAM may have refused a change of a log-on since it came without a password. Its documentation leaves open whether it asks for one.
    #[must_use]
    pub fn may_ask_for_password(&self) -> bool {
        let code = self.code().unwrap_or_default();
        self.class() == Class::Invalid
            && (code.contains("Password")
                || code.starts_with("MissingParameter")
                || code.starts_with("InvalidParameter"))
    }

    /// The action that failed: a RAM, IMS or STS action, or `EcsMetadata`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.0.action
    }

    /// The HTTP status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.0.origin {
            Origin::Answered(status) => Some(status),
            Origin::NotSent | Origin::NoAnswer => None,
        }
    }

    /// RAM's `RequestId`, for Alibaba Cloud's support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long to wait at least: RAM's `x-acs-retry-after`, at most 5 s, or the wait for the own budget.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether it is certain that the call had no effect: it never left this process (because credentials for it could
    /// not be obtained, say), or RAM refused it with a 4xx and a `Code`. `SignatureNonceUsed` proves nothing, since the first request with that nonce may have worked.
    #[must_use]
    pub fn proves_nothing_made(&self) -> bool {
        let refused = |status: u16| {
            (400..500).contains(&status)
                && status != 408
                && self.plain_code().is_some_and(|code| code != "SignatureNonceUsed")
        };
        self.0.obtaining
            || match self.0.origin {
                Origin::NotSent => true,
                Origin::NoAnswer => false,
                Origin::Answered(status) => refused(status),
            }
    }

    /// What is wrong on this side, for an error that RAM had no part in.
    #[must_use]
    pub fn note(&self) -> Option<&'static str> {
        self.0.note
    }

    /// The action that the policy would have to allow (`AccessDeniedDetail.AuthAction`).
    #[must_use]
    pub fn denied_action(&self) -> Option<&str> {
        self.0.denied_action.as_deref()
    }

    /// RAM's `Code` if it can be relied on.
    pub(super) fn plain_code(&self) -> Option<&str> {
        self.code().filter(|code| *code != UNREADABLE)
    }

    /// Whether RAM gave one of `codes`, and about the call itself: not while credentials for it were obtained.
    pub(super) fn is_one_of(&self, class: Class, codes: &[&str]) -> bool {
        self.0.class == class && self.plain_code().is_some_and(|code| codes.contains(&code))
    }

    /// Whether a temporary credential was refused in a way that a newer one mends.
    pub(super) fn asks_for_new_credential(&self) -> bool {
        self.plain_code()
            .is_some_and(|code| code == "InvalidAccessKeyId.NotFound" || code.starts_with("InvalidSecurityToken."))
    }

    /// RAM answered and said no.
    pub(super) fn refused(action: &'static str, status: u16, refusal: &Refusal) -> Self {
        let code = plain(&refusal.code).unwrap_or_else(|| UNREADABLE.to_owned());
        let known = Some(code.as_str()).filter(|code| *code != UNREADABLE);
        Self(Box::new(Facts {
            class: classify(status, known),
            request_id: plain(&refusal.request_id),
            denied_action: plain(&refusal.denied_action),
            retry_after: refusal.retry_after,
            ..Facts::new(action, Class::Transient, Origin::Answered(status))
        }))
        .with_code(code)
    }

    /// An answer that is not RAM's, or not whole.
    pub(super) fn unreadable(action: &'static str, status: u16) -> Self {
        Self(Box::new(Facts::new(action, classify(status, None), Origin::Answered(status))))
    }

    /// No answer: whether the request took effect is unknown.
    pub(super) fn no_answer(action: &'static str) -> Self {
        Self(Box::new(Facts::new(action, Class::Transient, Origin::NoAnswer)))
    }

    /// No connection: the request never left.
    pub(super) fn no_connection(action: &'static str) -> Self {
        Self(Box::new(Facts::new(action, Class::Transient, Origin::NotSent)))
    }

    /// The budget would have let the call wait for `wait`.
    pub(super) fn busy(action: &'static str, wait: Duration) -> Self {
        Self(Box::new(Facts { retry_after: Some(wait), ..Facts::new(action, Class::Busy, Origin::NotSent) }))
    }

    /// Something on this side, told by `note`.
    pub(super) fn local(action: &'static str, class: Class, note: &'static str) -> Self {
        Self(Box::new(Facts { note: Some(note), ..Facts::new(action, class, Origin::NotSent) }))
    }

    /// The same error, met while obtaining credentials for another call: that one was not sent, and what is missing
    /// or invalid is no object of the caller but the role or the provider of the operator.
    pub(super) fn while_obtaining(mut self) -> Self {
        if matches!(self.0.class, Class::Missing | Class::Exists | Class::InUse | Class::Quota | Class::Invalid) {
            self.0.class = Class::Credentials;
        }
        self.0.obtaining = true;
        self
    }

    fn with_code(mut self, code: String) -> Self {
        self.0.code = Some(code);
        self
    }
}

impl Facts {
    fn new(action: &'static str, class: Class, origin: Origin) -> Self {
        Self {
            action,
            class,
            origin,
            code: None,
            request_id: None,
            denied_action: None,
            retry_after: None,
            note: None,
            obtaining: false,
        }
    }
}

/// A refusal as RAM spelled it; [`Error::refused`] keeps of it only what is plain.
#[derive(Default)]
pub(super) struct Refusal {
    pub code: String,
    pub request_id: String,
    pub denied_action: String,
    pub retry_after: Option<Duration>,
}

const UNREADABLE: &str = "Unreadable";

/// The text if it is a plain code, id or action: what comes from outside goes into logs, events and status.
pub(super) fn plain(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    ((1..=80).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

fn sentence(facts: &Facts) -> String {
    let action = facts.action;
    let head = match (facts.origin, &facts.code) {
        (Origin::Answered(_), Some(code)) => {
            let request = facts.request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default();
            format!("RAM refused {action} ({code}{request})")
        }
        (Origin::Answered(status), None) => format!("The reply to {action} cannot be read (HTTP {status})"),
        (Origin::NoAnswer, _) => format!("No reply to {action}"),
        (Origin::NotSent, _) if facts.note.is_some() => format!("{action} failed"),
        (Origin::NotSent, _) => format!("{action} was not sent"),
    };
    let note = facts.note.map(|note| format!("{note}; ")).unwrap_or_default();
    match &facts.denied_action {
        Some(denied) => format!("{head}: allow {denied} in the policy of the operator's RAM identity"),
        None => format!("{head}: {note}{}", facts.class.advice()),
    }
}

/// The class of an answer, by `Code` and, for a code that is not known, by HTTP status.
///
/// Without a code the answer is not RAM's own, so that even a 404 says nothing about what exists.
fn classify(status: u16, code: Option<&str>) -> Class {
    let Some(code) = code else {
        return if status == 429 { Class::Throttled } else { Class::Transient };
    };
    known(code).unwrap_or(match status {
        429 => Class::Throttled,
        401 | 403 => Class::Denied,
        409 => Class::InUse,
        400..=499 if status != 408 => Class::Invalid,
        _ => Class::Transient,
    })
}

/// The class of a code that RAM, IMS, STS or their gateway documents. The first line that fits decides.
fn known(code: &str) -> Option<Class> {
    const EXACT: &[(Class, &[&str])] = &[
        (
            Class::Transient,
            &[
                "ServiceUnavailable",
                "InternalError",
                "UnknownError",
                "SignatureNonceUsed",
                "ContentMD5NotMatched",
                "ContentLengthDoesNotMatch",
            ],
        ),
        (Class::Clock, &["InvalidTimeStamp.Expired"]),
        (Class::Credentials, &["SignatureDoesNotMatch", "Forbidden.AccessKeyDisabled", "MissingSecurityToken"]),
        (Class::Denied, &["NoPermission", "Inactive", "NotSupport.Account", "AuthenticationFail.NoPermission"]),
        (Class::Invalid, &["IncompleteSignature", "UnsupportedHTTPMethod", "CheckAuthenticationCodeFail"]),
    ];
    const PREFIX: &[(Class, &[&str])] = &[
        (Class::Credentials, &["InvalidAccessKeyId", "InvalidSecurityToken", "AuthenticationFail"]),
        (Class::Denied, &["Forbidden"]),
        (Class::Missing, &["EntityNotExist"]),
        (Class::Exists, &["EntityAlreadyExists"]),
        (Class::InUse, &["DeleteConflict"]),
        (Class::Quota, &["LimitExceeded"]),
        (Class::Invalid, &["Invalid", "Missing", "Malformed"]),
    ];
    if code.contains("Throttling") {
        return Some(Class::Throttled);
    }
    let of = |table: &[(Class, &[&str])], fits: &dyn Fn(&str) -> bool| {
        table.iter().find(|(_, codes)| codes.iter().any(|known| fits(known))).map(|(class, _)| *class)
    };
    of(EXACT, &|known| code == known).or_else(|| of(PREFIX, &|known| code.starts_with(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> Error {
        let refusal = Refusal { code: code.to_owned(), request_id: "1234-ABCD".to_owned(), ..Refusal::default() };
        Error::refused("CreateUser", status, &refusal)
    }

    /// Every code that RAM's error list and the gateway's document, but the codes about names.
    const DOCUMENTED: &[(Class, u16, &[&str])] = &[
        (Class::Throttled, 400, &["Throttling", "Throttling.User", "Throttling.Api", "Rejected.Throttling"]),
        (Class::Transient, 503, &["ServiceUnavailable"]),
        (Class::Transient, 500, &["InternalError", "UnknownError"]),
        (Class::Transient, 400, &["ContentMD5NotMatched", "ContentLengthDoesNotMatch", "SignatureNonceUsed"]),
        (Class::Clock, 400, &["InvalidTimeStamp.Expired"]),
        (
            Class::Credentials,
            400,
            &[
                "InvalidAccessKeyId.NotFound",
                "InvalidAccessKeyId.Inactive",
                "SignatureDoesNotMatch",
                "InvalidSecurityToken.Expired",
                "InvalidSecurityToken.Malformed",
                "InvalidSecurityToken.MismatchWithAccessKey",
                "MissingSecurityToken",
                "AuthenticationFail.OIDCToken.Invalid",
                "AuthenticationFail.OIDCToken.Expired",
                "AuthenticationFail.OIDCToken.PublicKeyFingerprintMismatch",
            ],
        ),
        (Class::Credentials, 404, &["InvalidAccessKeyId.NotFound"]),
        (Class::Credentials, 403, &["Forbidden.AccessKeyDisabled", "SignatureDoesNotMatch"]),
        (
            Class::Denied,
            403,
            &["NoPermission", "Inactive", "Forbidden.AccessDenied", "AuthenticationFail.NoPermission"],
        ),
        (Class::Denied, 400, &["NotSupport.Account"]),
        (
            Class::Invalid,
            400,
            &[
                "MissingParameter",
                "MissingTimestamp",
                "MissingUserName",
                "InvalidParameter",
                "InvalidParameter.Format",
                "InvalidSignatureMethod",
                "IncompleteSignature",
                "InvalidTimeStamp.Format",
                "UnsupportedHTTPMethod",
                "InvalidParameter.PolicyType",
                "InvalidParameter.PolicyDocument.Length",
                "InvalidParameter.AssumeRolePolicyDocument.Length",
                "InvalidParameter.NewAssumeRolePolicyDocument.Length",
                "MalformedPolicyDocument",
                "InvalidParameter.VersionId.Format",
                "InvalidParameter.Password.TooWeak",
                "InvalidParameter.OldPassword.Incorrect",
                "InvalidParameter.NewPassword.TooWeak",
                "InvalidParameter.NewPassword.ReusePrevention",
                "InvalidParameter.AuthenticationCode.Format",
                "InvalidParameter.AccountAlias.Format",
                "InvalidParameter.AccountAlias.Length",
                "InvalidParameter.MinimumPasswordLength.Range",
                "InvalidParameter.Comments.Length",
                "InvalidParameter.NewComments.Length",
                "InvalidParameter.Description.Length",
                "InvalidParameter.MobilePhone.Format",
                "InvalidParameter.NewMobilePhone.Format",
                "InvalidParameter.Email.Format",
                "InvalidParameter.NewEmail.Format",
                "InvalidParameter.RoleArn",
                "InvalidParameter.RoleSessionName",
                "InvalidParameter.DurationSeconds",
                "InvalidParameter.PolicyGrammar",
                "InvalidParameter.PolicySize",
            ],
        ),
        (Class::Invalid, 403, &["CheckAuthenticationCodeFail", "UnsupportedHTTPMethod"]),
        (
            Class::Invalid,
            404,
            &["InvalidApi.NotFound", "InvalidAction.NotFound", "InvalidProduct.NotFound", "InvalidProtocol.NeedSsl"],
        ),
        (
            Class::Missing,
            404,
            &[
                "EntityNotExist",
                "EntityNotExist.User",
                "EntityNotExist.User.AccessKey",
                "EntityNotExist.User.LoginProfile",
                "EntityNotExist.User.MFADevice",
                "EntityNotExist.User.Policy",
                "EntityNotExist.User.Group",
                "EntityNotExist.VirtualMFADevice",
                "EntityNotExist.Group",
                "EntityNotExist.Group.Policy",
                "EntityNotExist.Policy",
                "EntityNotExist.Policy.Version",
                "EntityNotExist.Role",
                "EntityNotExist.Role.Policy",
                "EntityNotExist.AccessKeyPolicy",
            ],
        ),
        (
            Class::Exists,
            409,
            &[
                "EntityAlreadyExists.User",
                "EntityAlreadyExists.User.LoginProfile",
                "EntityAlreadyExists.User.MFADevice",
                "EntityAlreadyExists.User.Group",
                "EntityAlreadyExists.User.Policy",
                "EntityAlreadyExists.VirtualMFADevice",
                "EntityAlreadyExists.VirtualMFADevice.User",
                "EntityAlreadyExists.Group",
                "EntityAlreadyExists.Group.Policy",
                "EntityAlreadyExists.Policy",
                "EntityAlreadyExists.Role",
                "EntityAlreadyExists.Role.Policy",
                "EntityAlreadyExists.AccountAlias",
            ],
        ),
        (
            Class::InUse,
            409,
            &[
                "DeleteConflict.User.Group",
                "DeleteConflict.User.AccessKey",
                "DeleteConflict.User.LoginProfile",
                "DeleteConflict.User.MFADevice",
                "DeleteConflict.User.Policy",
                "DeleteConflict.VirtualMFADevice.User",
                "DeleteConflict.Group.User",
                "DeleteConflict.Group.Policy",
                "DeleteConflict.Policy.User",
                "DeleteConflict.Policy.Group",
                "DeleteConflict.Policy.Version",
                "DeleteConflict.Policy.Version.Default",
                "DeleteConflict.Role.Policy",
            ],
        ),
        (
            Class::Quota,
            409,
            &[
                "LimitExceeded.User",
                "LimitExceeded.User.AccessKey",
                "LimitExceeded.User.Group",
                "LimitExceeded.User.Policy",
                "LimitExceeded.VirtualMFADevice",
                "LimitExceeded.Group",
                "LimitExceeded.Group.Policy",
                "LimitExceeded.Policy",
                "LimitExceeded.Policy.Version",
                "LimitExceeded.Role",
                "LimitExceeded.Role.Policy",
            ],
        ),
    ];

    #[test]
    fn every_documented_code_has_its_class() {
        for (class, status, codes) in DOCUMENTED {
            for code in *codes {
                assert_eq!(refused(*status, code).class(), *class, "{code}");
                // The code decides, whatever the status: older pages give other ones.
                assert_eq!(refused(418, code).class(), *class, "{code}");
            }
        }
    }

    #[test]
    fn codes_about_names_are_invalid() {
        let parameters = [
            "UserName",
            "NewUserName",
            "DisplayName",
            "NewDisplayName",
            "GroupName",
            "NewGroupName",
            "PolicyName",
            "RoleName",
            "VirtualMFADeviceName",
        ];
        for parameter in parameters {
            for what in ["InvalidChars", "Length"] {
                assert_eq!(refused(400, &format!("InvalidParameter.{parameter}.{what}")).class(), Class::Invalid);
            }
        }
    }

    #[test]
    fn unknown_codes_fall_back_by_status() {
        let table = [
            (429, Class::Throttled),
            (400, Class::Invalid),
            (401, Class::Denied),
            (403, Class::Denied),
            (404, Class::Invalid),
            (408, Class::Transient),
            (409, Class::InUse),
            (500, Class::Transient),
            (502, Class::Transient),
            (302, Class::Transient),
        ];
        for (status, class) in table {
            assert_eq!(refused(status, "Novel.Code").class(), class, "{status}");
        }
    }

    #[test]
    fn an_answer_without_code_says_nothing_about_what_exists() {
        for status in [200, 302, 400, 403, 404, 409, 500] {
            let error = Error::unreadable("GetUser", status);
            assert_eq!(error.class(), Class::Transient, "{status}");
            assert!(!error.proves_nothing_made(), "{status}");
        }
        assert_eq!(Error::unreadable("GetUser", 429).class(), Class::Throttled);
    }

    #[test]
    fn what_proves_that_nothing_was_made() {
        assert!(refused(409, "LimitExceeded.User.AccessKey").proves_nothing_made());
        assert!(refused(400, "Throttling.User").proves_nothing_made());
        assert!(refused(429, "Throttling.User").proves_nothing_made());
        assert!(!refused(400, "SignatureNonceUsed").proves_nothing_made());
        assert!(!refused(400, "no code \u{1b}[31m").proves_nothing_made());
        assert!(!refused(408, "Timeout").proves_nothing_made());
        assert!(!refused(500, "InternalError").proves_nothing_made());
        assert!(!refused(503, "ServiceUnavailable").proves_nothing_made());
        assert!(!Error::no_answer("CreateAccessKey").proves_nothing_made());
        assert!(Error::no_connection("CreateAccessKey").proves_nothing_made());
        assert!(Error::busy("CreateAccessKey", Duration::from_secs(3)).proves_nothing_made());
    }

    #[test]
    fn hostile_texts_are_dropped() {
        for code in ["", "a b", "<html>", "Ünlesbar", "x\n", &"x".repeat(81)] {
            let error = refused(400, code);
            assert_eq!(error.code(), Some("Unreadable"), "{code:?}");
            assert_eq!(error.class(), Class::Transient, "{code:?}");
        }
        let refusal = Refusal {
            code: "NoPermission".to_owned(),
            request_id: "see https://evil.example".to_owned(),
            denied_action: "all of them".to_owned(),
            retry_after: None,
        };
        let error = Error::refused("CreateUser", 403, &refusal);
        assert_eq!((error.request_id(), error.denied_action()), (None, None));
    }

    #[test]
    fn sentences_say_what_to_do() {
        assert_eq!(
            refused(403, "NoPermission").to_string(),
            "RAM refused CreateUser (NoPermission, request 1234-ABCD): allow the action in the policy of the operator's RAM \
             identity, and check that RAM is activated"
        );
        let refusal = Refusal {
            code: "NoPermission".to_owned(),
            denied_action: "ram:CreateUser".to_owned(),
            ..Refusal::default()
        };
        assert_eq!(
            Error::refused("CreateUser", 403, &refusal).to_string(),
            "RAM refused CreateUser (NoPermission): allow ram:CreateUser in the policy of the operator's RAM identity"
        );
        assert!(
            Error::unreadable("GetUser", 502)
                .to_string()
                .starts_with("The reply to GetUser cannot be read (HTTP 502): ")
        );
        assert!(Error::no_answer("GetUser").to_string().starts_with("No reply to GetUser: "));
    }

    #[test]
    fn errors_of_credentials_are_no_news_of_the_call() {
        let error = refused(404, "EntityNotExist.Role").while_obtaining();
        assert_eq!(error.class(), Class::Credentials);
        assert!(!error.is_one_of(Class::Missing, &["EntityNotExist.Role"]));
        assert!(Error::no_answer("AssumeRole").while_obtaining().proves_nothing_made());
        assert!(refused(500, "InternalError").while_obtaining().proves_nothing_made());
    }
}
