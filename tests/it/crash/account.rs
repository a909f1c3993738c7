//! Settings of the account: what is asked for is merged into what there is.

use serde_json::{Value, json};

use super::sweep::Quick;
use super::{Object, Scenario};
use crate::account_settings::give_own_sources;
use crate::support::ram::{Emulator, Options, Person};
use crate::world::{World, condition, eventually};

/// Some of each part is asked for, where others have set the rest.
#[derive(Clone, Copy, Debug)]
pub struct Settings;

/// What others have set.
fn by_others(person: &Person) {
    person.set_password_policy([("MaxLoginAttemps", "5"), ("HardExpire", "true"), ("InitialPasswordAge", "30")]);
    person.set_security_preference([
        ("LoginSessionDuration", "12"),
        ("LoginNetworkMasks", "192.0.2.0/24;198.51.100.7"),
        ("VerificationTypes", r#"["sms"]"#),
        ("OperationForRiskLogin", "enforceVerify"),
    ]);
}

async fn stored(world: &World) -> Value {
    world.dynamic("RamAccount", None).get(&world.name).await.expect("there").data
}

impl Scenario for Settings {
    const QUICK: Quick = Quick::Every(4, 3);
    const RUNNING: bool = false;
    const ACCOUNT: bool = true;

    fn objects(self, world: &World) -> Vec<Object> {
        vec![("RamAccount", world.name.clone())]
    }
    async fn set_up(self, world: &World) {
        by_others(&world.ram.person());
        give_own_sources(world);
    }
    async fn ask(self, world: &World) {
        let settings = json!({
            "alias": "acme",
            "passwordPolicy": {"minimumPasswordLength": 14},
            "securityPreference": {"allowUserToManageAccessKeys": true},
            "accessKeyAllowedSources": {"publicCidrs": ["198.51.100.0/24"]},
        });
        world.account(json!({ "settings": settings })).await;
    }
    async fn finished(self, world: &World) {
        let api = world.dynamic("RamAccount", None);
        eventually("the settings to be applied", || async {
            let object = api.get(&world.name).await.map_err(|e| e.to_string())?;
            let is = |type_: &str, reason: &str| {
                let found = condition(&object.data, type_);
                found.is_some_and(|found| {
                    found["reason"] == reason && found["observedGeneration"].as_i64() == object.metadata.generation
                })
            };
            let done = is("Ready", "Available") && is("SettingsApplied", "Applied");
            if done { Ok(()) } else { Err(object.data["status"].to_string()) }
        })
        .await;
    }
    async fn settle(self, world: &World) {
        // What it is to be, made by hand in another account.
        let other = Emulator::start(Options::default()).await;
        by_others(&other.person());
        let mut wanted = other.snapshot().settings;
        wanted.alias = Some("acme".to_owned());
        wanted.password_policy["MinimumPasswordLength"] = json!(14);
        wanted.security_preference["AccessKeyPreference"]["AllowUserToManageAccessKeys"] = json!(true);
        let found = world.in_ram().settings;
        let sources = found.key_policy.clone().expect("sources");
        assert!(sources.contains("198.51.100.0/24") && sources.contains("Active"), "{sources}");
        wanted.key_policy = Some(sources);
        assert_eq!(found, wanted);
        // At rest: what is done is not done again, and the domain that came with the alias is known.
        let before = world.ram.writes();
        world.reconcile("RamAccount", &world.name).await;
        assert_eq!(world.ram.writes(), before);
        let status = stored(world).await["status"].clone();
        assert_eq!((&status["alias"], &status["defaultDomain"]), (&json!("acme"), &json!("acme.onaliyun.com")));
        for part in ["alias", "passwordPolicy", "securityPreference", "accessKeyAllowedSources"] {
            assert_eq!(status["settings"][part]["repairs"], 0, "{part}: nobody else was at it");
        }
    }
}
