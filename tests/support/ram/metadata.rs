//! The instance metadata service of ECS, as far as it hands out credentials of a role.

use std::collections::BTreeMap;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::clock::iso;
use super::gateway::{Gateway, Reply};
use super::state::{Session, State, token};

const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
/// Lifetime of the credentials.
const LIFETIME: SignedDuration = SignedDuration::from_hours(6);
/// Session name: the id of the instance.
const INSTANCE: &str = "i-emulated";

/// Answers a request to the metadata service.
pub fn answer(gateway: &Gateway, method: &Method, path: &str, headers: &BTreeMap<String, String>) -> Reply {
    let now = gateway.options.clock.now();
    let mut state = gateway.state();
    if path == "/latest/api/token" && *method == Method::PUT {
        return new_token(&mut state, headers, now);
    }
    if *method != Method::GET {
        return text(405, "");
    }
    let known = |token: &String| state.metadata_tokens.get(token).is_some_and(|expires| *expires > now);
    let allowed = headers.get("x-aliyun-ecs-metadata-token").map_or(gateway.options.metadata_v1, known);
    if !allowed {
        return text(403, "");
    }
    let Some(role) = &gateway.options.ecs_role else {
        return text(404, "");
    };
    match path.strip_prefix(ROLES) {
        Some("") => text(200, role),
        Some(name) if name == role => match session(&mut state, role, now) {
            Some(session) => credentials(&session, now),
            None => text(404, ""),
        },
        _ => text(404, ""),
    }
}

fn new_token(state: &mut State, headers: &BTreeMap<String, String>, now: Timestamp) -> Reply {
    let ttl = headers.get("x-aliyun-ecs-metadata-token-ttl-seconds").and_then(|ttl| ttl.parse::<i64>().ok());
    let Some(ttl) = ttl.filter(|ttl| (1..=21_600_i64).contains(ttl)) else {
        return text(400, "");
    };
    let name = token(32);
    state.metadata_tokens.insert(name.clone(), now + SignedDuration::from_secs(ttl));
    text(200, &name)
}

/// The credentials in use; new ones once half of their life is over.
fn session(state: &mut State, role: &str, now: Timestamp) -> Option<Session> {
    let young =
        |session: &&Session| session.role == role && session.name == INSTANCE && session.expires > now + LIFETIME / 2;
    if let Some(session) = state.account.sessions.values().find(young) {
        return Some(session.clone());
    }
    let role = state.account.roles.get(&role.to_lowercase())?.clone();
    Some(state.account.add_session(&role, INSTANCE, now + LIFETIME))
}

fn credentials(session: &Session, now: Timestamp) -> Reply {
    let body = json!({
        "Code": "Success",
        "AccessKeyId": session.key_id,
        "AccessKeySecret": session.secret,
        "SecurityToken": session.token,
        "LastUpdated": iso(now),
        "Expiration": iso(session.expires),
    });
    Reply { status: 200, content_type: "application/json", body: body.to_string(), retry_after: None }
}

fn text(status: u16, body: &str) -> Reply {
    Reply { status, content_type: "text/plain", body: body.to_owned(), retry_after: None }
}
