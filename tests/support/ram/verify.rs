//! Who calls: both signature versions of the gateway.
//!
//! The pure functions compute a signature from its inputs; [`verify`] checks a call and returns its caller.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::clock::{parse_iso, within};
use super::envelope::Refusal;
use super::params::{Params, encode};
use super::state::{Caller, State};

/// Server and client clock may differ by this much.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// A nonce is remembered for both halves of the window and a little more.
const NONCE_MEMORY: Duration = Duration::from_secs(31 * 60);
const ALGORITHM_V3: &str = "ACS3-HMAC-SHA256";
/// Headers that a V3 signature covers at least.
const SIGNED_AT_LEAST: [&str; 6] =
    ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"];

/// Signature version of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RPC, HMAC-SHA1 over the parameters.
    V1,
    /// ACS3-HMAC-SHA256 over the whole request.
    V3,
}

/// What a signature can cover of a call.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Signature version.
    pub scheme: Scheme,
    /// `GET` or `POST`.
    pub method: String,
    /// Headers by lower-case name; values of a repeated one are sorted and joined with `,`.
    pub headers: BTreeMap<String, String>,
    /// Parameters of the query string.
    pub query: Params,
    /// All parameters: query and form.
    pub params: Params,
    /// Hex SHA-256 of the body.
    pub body_hash: String,
}

/// The string to sign of version 1, from all parameters (a `Signature` among them is left out).
pub fn string_to_sign_v1(method: &str, params: &Params) -> String {
    format!("{method}&%2F&{}", encode(&params.canonical("Signature")))
}

/// The signature of version 1, Base64.
pub fn signature_v1(secret: &str, string_to_sign: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).expect("HMAC takes keys of any length");
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(&mac.finalize().into_bytes()[..])
}

/// The canonical request of version 3; `signed` is the value of `SignedHeaders`.
pub fn canonical_request_v3(
    method: &str,
    query: &Params,
    headers: &BTreeMap<String, String>,
    signed: &str,
    body_hash: &str,
) -> String {
    let mut lines = format!("{method}\n/\n{}\n", query.canonical(""));
    for name in signed.split(';') {
        let _ = writeln!(lines, "{name}:{}", headers.get(name).map_or("", |value| value.trim()));
    }
    let _ = write!(lines, "\n{signed}\n{body_hash}");
    lines
}

/// The string to sign of version 3.
pub fn string_to_sign_v3(canonical_request: &str) -> String {
    format!("{ALGORITHM_V3}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// The signature of version 3, hex.
pub fn signature_v3(secret: &str, string_to_sign: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(string_to_sign.as_bytes());
    hex(&mac.finalize().into_bytes()[..])
}

/// Lower-case hex SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a call says about its caller, not yet believed.
struct Claim {
    key_id: String,
    token: Option<String>,
    nonce: String,
    signature: String,
    string_to_sign: String,
}

/// The caller of a call, or why it is refused. Remembers the nonce of a call whose signature is right.
pub fn verify(state: &mut State, wire: &Wire, now: Timestamp) -> Result<Caller, Refusal> {
    fresh(timestamp(wire)?, now)?;
    let claim = match wire.scheme {
        Scheme::V1 => claim_v1(wire)?,
        Scheme::V3 => claim_v3(wire)?,
    };
    let (secret, caller) = credential(state, &claim, now)?;
    let expected = match wire.scheme {
        Scheme::V1 => signature_v1(&secret, &claim.string_to_sign),
        Scheme::V3 => signature_v3(&secret, &claim.string_to_sign),
    };
    if expected != claim.signature {
        return Err(mismatch(wire.scheme, &claim.string_to_sign));
    }
    once(state, &claim.key_id, &claim.nonce, now)?;
    Ok(caller)
}

/// Checks a call of an action that needs no caller: only its time and, if it has one, its nonce.
pub fn verify_anonymous(state: &mut State, wire: &Wire, now: Timestamp) -> Result<Caller, Refusal> {
    fresh(timestamp(wire)?, now)?;
    let nonce = match wire.scheme {
        Scheme::V1 => wire.params.get("SignatureNonce"),
        Scheme::V3 => wire.headers.get("x-acs-signature-nonce").map(String::as_str),
    };
    if let Some(nonce) = nonce {
        once(state, "", nonce, now)?;
    }
    Ok(Caller::Anonymous)
}

/// The key id a call claims, before anything is checked.
pub fn claimed_key(wire: &Wire) -> Option<String> {
    match wire.scheme {
        Scheme::V1 => wire.params.some("AccessKeyId").map(str::to_owned),
        Scheme::V3 => {
            let authorization = wire.headers.get("authorization")?;
            let (_, rest) = authorization.split_once("Credential=")?;
            rest.split(',').next().map(str::to_owned)
        }
    }
}

fn timestamp(wire: &Wire) -> Result<&str, Refusal> {
    match wire.scheme {
        Scheme::V1 => wire.params.required("Timestamp"),
        Scheme::V3 => wire.headers.get("x-acs-date").map(String::as_str).ok_or_else(|| missing("Timestamp")),
    }
}

fn missing(what: &str) -> Refusal {
    Refusal::new(400, format!("Missing{what}"), format!("{what} is mandatory for this action."))
}

fn incomplete(message: &str) -> Refusal {
    Refusal::new(400, "IncompleteSignature", message)
}

fn mismatch(scheme: Scheme, string_to_sign: &str) -> Refusal {
    let message = match scheme {
        Scheme::V1 => format!(
            "Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}"
        ),
        Scheme::V3 => "Specified signature does not match our calculation.".to_owned(),
    };
    Refusal::new(400, "SignatureDoesNotMatch", message)
}

fn fresh(text: &str, now: Timestamp) -> Result<(), Refusal> {
    let Some(time) = parse_iso(text) else {
        return Err(Refusal::new(
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        ));
    };
    if now.duration_since(time).abs() > WINDOW {
        return Err(Refusal::new(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."));
    }
    Ok(())
}

fn claim_v1(wire: &Wire) -> Result<Claim, Refusal> {
    let params = &wire.params;
    let key_id = params.required("AccessKeyId")?.to_owned();
    if params.required("SignatureMethod")? != "HMAC-SHA1" {
        return Err(Refusal::new(
            400,
            "InvalidSignatureMethod",
            "The specified SignatureMethod is not supported; use HMAC-SHA1.",
        ));
    }
    if params.required("SignatureVersion")? != "1.0" {
        return Err(incomplete("The specified SignatureVersion is not supported; use 1.0."));
    }
    Ok(Claim {
        key_id,
        token: params.some("SecurityToken").map(str::to_owned),
        nonce: params.required("SignatureNonce")?.to_owned(),
        signature: params.required("Signature")?.to_owned(),
        string_to_sign: string_to_sign_v1(&wire.method, params),
    })
}

fn claim_v3(wire: &Wire) -> Result<Claim, Refusal> {
    let header = |name: &str| wire.headers.get(name).map(String::as_str);
    let authorization = header("authorization").ok_or_else(|| incomplete("The header Authorization is missing."))?;
    let (algorithm, rest) =
        authorization.split_once(' ').ok_or_else(|| incomplete("The header Authorization is malformed."))?;
    if algorithm != ALGORITHM_V3 {
        return Err(Refusal::new(400, "InvalidSignatureMethod", "The specified signature algorithm is not supported."));
    }
    let mut parts: BTreeMap<&str, &str> = rest.split(',').filter_map(|part| part.split_once('=')).collect();
    let mut part = |name: &str| {
        parts
            .remove(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| incomplete("A part of Authorization is missing."))
    };
    let (key_id, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let nonce = header("x-acs-signature-nonce").ok_or_else(|| missing("SignatureNonce"))?;
    covers(wire, signed)?;
    if header("x-acs-content-sha256") != Some(wire.body_hash.as_str()) {
        return Err(mismatch(Scheme::V3, ""));
    }
    let token = header("x-acs-security-token");
    match header("x-acs-accesskey-id") {
        Some(id) if id != key_id => return Err(foreign_token()),
        None if token.is_some() => return Err(incomplete("The header x-acs-accesskey-id is missing.")),
        _ => {}
    }
    let canonical = canonical_request_v3(&wire.method, &wire.query, &wire.headers, signed, &wire.body_hash);
    Ok(Claim {
        key_id: key_id.to_owned(),
        token: token.map(str::to_owned),
        nonce: nonce.to_owned(),
        signature: signature.to_owned(),
        string_to_sign: string_to_sign_v3(&canonical),
    })
}

/// The signed headers are sorted, present, and include what has to be signed.
fn covers(wire: &Wire, signed: &str) -> Result<(), Refusal> {
    let names: Vec<&str> = signed.split(';').collect();
    if !names.is_sorted() {
        return Err(incomplete("SignedHeaders is not sorted."));
    }
    if names.iter().any(|name| !wire.headers.contains_key(*name)) {
        return Err(mismatch(Scheme::V3, ""));
    }
    let must = |name: &str| SIGNED_AT_LEAST.contains(&name) || name == "content-type" || name.starts_with("x-acs-");
    let mut all = SIGNED_AT_LEAST.into_iter().chain(wire.headers.keys().map(String::as_str).filter(|name| must(name)));
    match all.find(|name| !names.contains(name)) {
        Some(name) => Err(incomplete(&format!("The header {name} must be signed."))),
        None => Ok(()),
    }
}

/// The secret of the claimed key and whose key it is.
fn credential(state: &State, claim: &Claim, now: Timestamp) -> Result<(String, Caller), Refusal> {
    let unknown = || Refusal::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
    if let Some(session) = state.account.sessions.get(&claim.key_id) {
        session_token(state, claim, now)?;
        return Ok((session.secret.clone(), Caller::Role(session.clone())));
    }
    let key = state.account.keys.get(&claim.key_id).ok_or_else(unknown)?;
    if !key.preset && within(now, key.created, state.settings.new_key_refused_for) {
        return Err(unknown());
    }
    if claim.token.is_some() {
        return Err(foreign_token());
    }
    if !key.active {
        return Err(Refusal::new(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled."));
    }
    Ok((key.secret.clone(), Caller::User { user_id: key.user_id.clone(), key_id: key.id.clone() }))
}

fn session_token(state: &State, claim: &Claim, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |what: &str| {
        Err(Refusal::new(400, format!("InvalidSecurityToken.{what}"), "Specified SecurityToken is not usable."))
    };
    let Some(token) = &claim.token else {
        return Err(missing("SecurityToken"));
    };
    match state.account.sessions.values().find(|session| session.token == *token) {
        None => refuse("Malformed"),
        Some(session) if session.key_id != claim.key_id => Err(foreign_token()),
        Some(session) if session.expires <= now => refuse("Expired"),
        Some(_) => Ok(()),
    }
}

fn foreign_token() -> Refusal {
    Refusal::new(
        400,
        "InvalidSecurityToken.MismatchWithAccessKey",
        "Specified SecurityToken does not belong to the AccessKeyId.",
    )
}

fn once(state: &mut State, key_id: &str, nonce: &str, now: Timestamp) -> Result<(), Refusal> {
    while let Some((seen, name)) = state.nonce_times.front() {
        if within(now, *seen, NONCE_MEMORY) {
            break;
        }
        state.nonces.remove(name);
        state.nonce_times.pop_front();
    }
    let name = format!("{key_id}\n{nonce}");
    if !state.nonces.insert(name.clone()) {
        return Err(Refusal::new(400, "SignatureNonceUsed", "Specified signature nonce was used already."));
    }
    state.nonce_times.push_back((now, name));
    Ok(())
}
