//! STS: who am I, and temporary credentials.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::clock::iso;
use super::super::envelope::{Answer, Refusal};
use super::super::limits;
use super::super::options::{OidcTrust, Trust};
use super::super::state::{Account, Caller, Role, Session};
use super::Ask;

/// STS GetCallerIdentity.
pub fn get_caller_identity(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let arn = caller_arn(account, ask.caller);
    Ok(match ask.caller {
        Caller::User { user_id, .. } => {
            json!({"AccountId": account.id, "UserId": user_id, "PrincipalId": user_id, "IdentityType": "RAMUser", "Arn": arn})
        }
        Caller::Role(session) => {
            let principal = format!("{}:{}", session.role_id, session.name);
            json!({"AccountId": account.id, "RoleId": session.role_id, "PrincipalId": principal, "IdentityType": "AssumedRoleUser", "Arn": arn})
        }
        Caller::Anonymous => {
            return Err(Refusal::new(400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action."));
        }
    })
}

/// ARN of a caller.
fn caller_arn(account: &Account, caller: &Caller) -> String {
    match caller {
        Caller::User { user_id, .. } => {
            format!("acs:ram::{}:user/{}", account.id, account.users.get(user_id).map_or("", |user| user.name.as_str()))
        }
        Caller::Role(session) => session_arn(account, session),
        Caller::Anonymous => "anonymous".to_owned(),
    }
}

/// STS AssumeRole.
pub fn assume_role(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let role = role(account, ask)?;
    let (name, expires) = (session_name(ask)?.to_owned(), expiry(ask, &role)?);
    policy(ask)?;
    let external_id = ask.params.some("ExternalId");
    if role.trust != Trust::Account || role.external_id.as_deref().is_some_and(|id| external_id != Some(id)) {
        return Err(Refusal::new(
            403,
            "NoPermission",
            "You are not authorized to do this action. You should be authorized by RAM.",
        ));
    }
    let session = account.add_session(&role, &name, expires);
    Ok(assumed(account, &session))
}

/// STS AssumeRoleWithOIDC: nobody signs, the token is the proof.
pub fn assume_role_with_oidc(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let role = role(account, ask)?;
    let provider = ask.params.required("OIDCProviderArn")?;
    let token = ask.params.required("OIDCToken")?;
    let (name, expires) = (session_name(ask)?.to_owned(), expiry(ask, &role)?);
    policy(ask)?;
    let known = |role: &Role| matches!(&role.trust, Trust::Oidc(trust) if trust.provider_arn == provider);
    if !account.roles.values().any(known) {
        return Err(Refusal::absent("OIDCProvider", provider));
    }
    let Trust::Oidc(trust) = &role.trust else {
        return Err(untrusted());
    };
    if trust.provider_arn != provider {
        return Err(untrusted());
    }
    let info = believe(trust, token, ask.now)?;
    let session = account.add_session(&role, &name, expires);
    let mut answer = assumed(account, &session);
    if let Value::Object(fields) = &mut answer {
        fields.insert("OIDCTokenInfo".to_owned(), info);
    }
    Ok(answer)
}

/// What a token says, if the role trusts it: one of the accepted tokens, or a JWT with the right claims (its signature is not looked at).
fn believe(trust: &OidcTrust, token: &str, now: Timestamp) -> Result<Value, Refusal> {
    let invalid = |what: &str| {
        Refusal::new(400, "AuthenticationFail.OIDCToken.Invalid", format!("This OIDC token is invalid: {what}."))
    };
    let info = |issued: &str, expires: &str| {
        json!({
            "Issuer": trust.issuer,
            "Subject": trust.subject,
            "ClientIds": trust.audience,
            "IssuanceTime": issued,
            "ExpirationTime": expires,
            "VerificationInfo": "Success",
        })
    };
    if trust.tokens.iter().any(|accepted| accepted == token) {
        return Ok(info(&iso(now), &iso(now + SignedDuration::from_hours(1))));
    }
    let claims = claims(token).ok_or_else(|| invalid("it is no JWT"))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time =
        |name: &str| claims.get(name).and_then(Value::as_i64).and_then(|second| Timestamp::from_second(second).ok());
    let expires = time("exp").ok_or_else(|| invalid("it has no exp"))?;
    if expires <= now {
        return Err(Refusal::new(400, "AuthenticationFail.OIDCToken.Expired", "This OIDC token is expired."));
    }
    if text("iss") != Some(trust.issuer.as_str()) {
        return Err(invalid("its iss is not the provider's issuer"));
    }
    let audience = match claims.get("aud") {
        Some(Value::Array(values)) => values.iter().any(|value| value.as_str() == Some(trust.audience.as_str())),
        Some(value) => value.as_str() == Some(trust.audience.as_str()),
        None => false,
    };
    if !audience {
        return Err(invalid("its aud is not a client id of the provider"));
    }
    if text("sub") != Some(trust.subject.as_str()) {
        return Err(untrusted());
    }
    Ok(info(&time("iat").map(iso).unwrap_or_default(), &iso(expires)))
}

fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn untrusted() -> Refusal {
    Refusal::new(403, "AuthenticationFail.NoPermission", "This operation is forbidden by the trust policy of the role.")
}

fn role(account: &Account, ask: &Ask<'_>) -> Result<Role, Refusal> {
    let arn = ask.params.required("RoleArn")?;
    let bad = || Refusal::invalid("RoleArn", "The RoleArn must have the form acs:ram::<account>:role/<name>.");
    let rest = arn.strip_prefix("acs:ram::").ok_or_else(bad)?;
    let (owner, name) = rest.split_once(":role/").ok_or_else(bad)?;
    account
        .roles
        .get(&name.to_lowercase())
        .filter(|_| owner == account.id)
        .cloned()
        .ok_or_else(|| Refusal::absent("Role", arn))
}

fn session_name<'a>(ask: &Ask<'a>) -> Result<&'a str, Refusal> {
    let name = ask.params.required("RoleSessionName")?;
    if name.len() < 2 || limits::name("RoleSessionName", name, 64, ".@-_").is_err() {
        return Err(Refusal::invalid(
            "RoleSessionName",
            "The RoleSessionName must have 2 to 64 letters, digits and . @ - _.",
        ));
    }
    Ok(name)
}

fn expiry(ask: &Ask<'_>, role: &Role) -> Result<Timestamp, Refusal> {
    let max = role.max_session_duration;
    let seconds = match ask.params.some("DurationSeconds") {
        None => max.min(3600),
        Some(text) => text.parse().ok().filter(|seconds| (900..=max).contains(seconds)).ok_or_else(|| {
            Refusal::invalid(
                "DurationSeconds",
                "The DurationSeconds must be from 900 to the role's MaxSessionDuration.",
            )
        })?,
    };
    Ok(ask.now + SignedDuration::from_secs(seconds))
}

fn policy(ask: &Ask<'_>) -> Result<(), Refusal> {
    let Some(text) = ask.params.some("Policy") else {
        return Ok(());
    };
    if text.chars().count() > 2048 {
        return Err(Refusal::invalid("PolicySize", "The Policy must have at most 2048 characters."));
    }
    if serde_json::from_str::<Value>(text).is_ok_and(|document| document.is_object()) {
        return Ok(());
    }
    Err(Refusal::invalid("PolicyGrammar", "The Policy is no JSON object."))
}

fn session_arn(account: &Account, session: &Session) -> String {
    format!("acs:ram::{}:assumed-role/{}/{}", account.id, session.role, session.name)
}

fn assumed(account: &Account, session: &Session) -> Value {
    json!({
        "Credentials": {
            "AccessKeyId": session.key_id,
            "AccessKeySecret": session.secret,
            "SecurityToken": session.token,
            "Expiration": iso(session.expires),
        },
        "AssumedRoleUser": {
            "Arn": session_arn(account, session),
            "AssumedRoleId": format!("{}:{}", session.role_id, session.name),
        },
    })
}
