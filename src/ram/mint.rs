//! Minting a key pair: RAM CreateAccessKey has no idempotency token and shows the secret once.
//!
//! So signing and sending are two steps, between which the caller writes down what is about to happen. RAM's own rules
//! are the fence: it refuses a request 15 minutes after its timestamp, and a second one with the same nonce.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::{
    client::Client,
    credentials::{CALLER_IDENTITY, Credential},
    error::{Class, Error},
    model::{KeyPair, Proof},
    transport::{Api, Call, Repeat, Transport},
    wire,
};

const ACTION: &str = "CreateAccessKey";
/// How long after its timestamp RAM accepts a request.
const VALIDITY: SignedDuration = SignedDuration::from_secs(15 * 60);

/// A signed CreateAccessKey that has not been sent. It can be sent once.
#[derive(Debug)]
pub struct SignedMint {
    /// The request's `Timestamp`, by RAM's clock: no key of this request is older.
    pub timestamp: Timestamp,
    /// After this time RAM refuses the request: 15 minutes after [`timestamp`](Self::timestamp).
    pub not_after: Timestamp,
    credential: Credential,
    body: SecretString,
}

impl Client {
    /// Takes the budget's tokens for one mint and one proof, so that neither waits once the mint has begun.
    pub async fn reserve_mint(&self) -> Result<(), Error> {
        self.transport.admit(ACTION, self.lane).await?;
        self.transport.admit(CALLER_IDENTITY.action, self.lane).await
    }

    /// Signs a CreateAccessKey for `user_name`; sends nothing of it. Takes no token: [`Client::reserve_mint`] did.
    /// A credential that is due is renewed first.
    pub async fn sign_create_access_key(&self, user_name: &str) -> Result<SignedMint, Error> {
        let credential = self.credential().await?;
        let timestamp = self.now();
        let params = [("UserName", user_name)];
        let call = Call { api: Api::Ram, action: ACTION, params: &params, repeat: Repeat::IfNothingMade };
        let body = Transport::sign(&call, Some(&credential), timestamp);
        let not_after = timestamp.checked_add(VALIDITY).unwrap_or(Timestamp::MAX);
        Ok(SignedMint { timestamp, not_after, credential, body })
    }

    /// Sends a mint: exactly one request, on a connection of its own, never repeated. Only an error that
    /// [proves it](Error::proves_nothing_made) means that no key was made.
    pub async fn send_mint(&self, signed: SignedMint) -> Result<KeyPair, Error> {
        let SignedMint { credential, body, .. } = signed;
        let answer = self.transport.send_fresh::<wire::CreatedKey>(Api::Ram, ACTION, &body).await;
        if let Err(error) = &answer {
            self.refused_for_good(&credential, error).await;
        }
        answer
    }

    /// Asks who `pair` belongs to, signed with the pair itself, once (STS GetCallerIdentity).
    ///
    /// A refusal proves the pair too, if it comes from behind the check of signatures. Errors are what says nothing
    /// about the pair: the budget, throttling, no or no readable reply, the clock, a refusal of the request as such.
    pub async fn prove(&self, pair: &KeyPair) -> Result<Proof, Error> {
        self.transport.admit(CALLER_IDENTITY.action, self.lane).await?;
        self.prove_reserved(pair).await
    }

    /// As [`Client::prove`], with the token that [`Client::reserve_mint`] took.
    pub async fn prove_reserved(&self, pair: &KeyPair) -> Result<Proof, Error> {
        let credential = Credential {
            access_key_id: pair.id.clone(),
            access_key_secret: pair.secret.clone(),
            security_token: None,
            expiration: None,
        };
        match self.transport.once::<wire::CallerIdentity>(&CALLER_IDENTITY, Some(&credential)).await {
            Ok(identity) => Ok(Proof::Authentic { account_id: Some(identity.account_id), user_id: identity.user_id }),
            Err(error) => verdict(error),
        }
    }
}

/// What a failed question says about the pair that signed it.
fn verdict(error: Error) -> Result<Proof, Error> {
    match error.plain_code() {
        Some("InvalidAccessKeyId.Inactive" | "Forbidden.AccessKeyDisabled") => Ok(Proof::Inactive),
        Some("SignatureDoesNotMatch") => Ok(Proof::NotYet),
        Some(code) if code.starts_with("InvalidAccessKeyId") => Ok(Proof::NotYet),
        // Permission is asked for only after the signature was found right.
        Some(_) if error.class() == Class::Denied => Ok(Proof::Authentic { account_id: None, user_id: None }),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::error::Refusal;

    fn of(status: u16, code: &str) -> Result<Proof, Error> {
        verdict(Error::refused(
            CALLER_IDENTITY.action,
            status,
            &Refusal { code: code.to_owned(), ..Refusal::default() },
        ))
    }

    #[test]
    fn refusals_prove_what_they_prove() {
        let authentic = Proof::Authentic { account_id: None, user_id: None };
        for (status, code, proof) in [
            (400, "InvalidAccessKeyId.Inactive", Proof::Inactive),
            (403, "Forbidden.AccessKeyDisabled", Proof::Inactive),
            (404, "InvalidAccessKeyId.NotFound", Proof::NotYet),
            (400, "InvalidAccessKeyId.NotFound", Proof::NotYet),
            (400, "SignatureDoesNotMatch", Proof::NotYet),
            (403, "Forbidden.AccessDenied", authentic.clone()),
            (403, "NoPermission", authentic),
        ] {
            assert_eq!(of(status, code).unwrap(), proof, "{code}");
        }
        for (status, code) in [
            (400, "Throttling.User"),
            (503, "ServiceUnavailable"),
            (400, "InvalidTimeStamp.Expired"),
            (400, "SignatureNonceUsed"),
            (404, "InvalidApi.NotFound"),
            (403, "<html>"),
        ] {
            assert!(of(status, code).is_err(), "{code}");
        }
        assert!(verdict(Error::unreadable(CALLER_IDENTITY.action, 403)).is_err());
    }

    #[test]
    fn a_signed_mint_does_not_show_its_body() {
        let signed = SignedMint {
            timestamp: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
            credential: Credential {
                access_key_id: "STS.1".to_owned(),
                access_key_secret: "hush-secret".into(),
                security_token: Some("hush-token".into()),
                expiration: None,
            },
            body: "SecurityToken=hush-token&Signature=hush".into(),
        };
        assert!(!format!("{signed:?}").contains("hush"));
    }
}
