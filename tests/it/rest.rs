//! What a look at an object at rest calls: exactly that, and README says the same.

use std::cell::Cell;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{ListParams, Patch, PatchParams};
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::json;

use crate::emulator::public;
use crate::support::operator::Running;
use crate::world::{World, condition, eventually};

const READ: &str = "AliyunOTSReadOnlyAccess";
const LEGACY: [&str; 2] = ["legacy-a-boss", "legacy-a-reader"];

/// So many times in a row there was no further call.
const QUIET: u32 = 6;

/// What README says of a look, in its words, and the actions in order of their names.
const LOOKS: [(&str, &str); 14] = [
    ("RamTenant", ""),
    ("RamAccount", "GetAccountSummary, GetCallerIdentity, GetDefaultDomain"),
    (
        "RamAccount with all four settings",
        "GetAccessKeyPolicyForAccount, GetAccountAlias, GetAccountSummary, GetCallerIdentity, GetDefaultDomain, GetPasswordPolicy, \
         GetSecurityPreference",
    ),
    ("RamUser", "GetUser, ListAccessKeys, ListPoliciesForUser"),
    (
        "RamUser with `groups`, `consoleLogin` and `virtualMfa`",
        "GetLoginProfile, GetUser, GetUserMFAInfo, ListAccessKeys, ListGroupsForUser, ListPoliciesForUser",
    ),
    ("RamUser that is observed", "GetUser, ListAccessKeys, ListGroupsForUser, ListPoliciesForUser"),
    (
        "RamUser that was adopted, in one group",
        "GetUser, ListAccessKeys, ListGroupsForUser, ListPoliciesForGroup, ListPoliciesForUser",
    ),
    ("RamAccessKey", "GetUser, ListAccessKeys"),
    ("RamAccessKey with `allowedSources`", "GetAccessKeyPolicy, GetUser, ListAccessKeys"),
    ("RamPolicy that nobody has", "GetPolicy"),
    ("RamPolicy that somebody has", "GetPolicy, ListEntitiesForPolicy"),
    ("RamGroup", "GetGroup, ListPoliciesForGroup, ListUsersForGroup"),
    ("RamRevocation of a key", "GetUser, ListAccessKeys"),
    ("RamRevocation of a user", "GetUser, GetUserMFAInfo, ListAccessKeys, ListGroupsForUser, ListPoliciesForUser"),
];

/// The actions that were called, once no more come.
async fn quiet(world: &World) -> String {
    let seen = Cell::new((usize::MAX, 0));
    eventually("the calls to end", || async {
        let calls = world.ram.journal();
        let (before, times) = seen.get();
        let times = if before == calls.len() { times + 1 } else { 0 };
        seen.set((calls.len(), times));
        let mut actions: Vec<String> = calls.into_iter().map(|call| call.action).collect();
        actions.sort();
        if times >= QUIET { Ok(actions.join(", ")) } else { Err("there are still calls") }
    })
    .await
}

/// What one look at an object calls.
async fn look(world: &World, kind: &str, name: &str) -> String {
    quiet(world).await;
    world.ram.clear_journal();
    if kind == "RamAccessKey" {
        // A change of the key itself would have its user looked at, too.
        let note = json!({"metadata": {"annotations": {"example.com/note": "of a person"}}});
        world.secrets().patch(name, &PatchParams::default(), &Patch::Merge(note)).await.expect("noted");
        eventually("a look at the key", || async {
            if world.ram.journal().is_empty() { Err("none yet") } else { Ok(()) }
        })
        .await;
    } else {
        world.reconcile(kind, name).await;
    }
    quiet(world).await
}

/// A corner with everything at rest, but for the account's settings; and what a look at the tenant called.
async fn corner() -> (World, Running, String) {
    let world = World::new("looks").await;
    let person = world.ram.person();
    person.create_group("readers");
    for name in LEGACY {
        person.create_user(name, "made by hand");
        person.attach(name, "System", READ);
        person.add_to_group(name, "readers");
    }
    world
        .tenant(json!({
            "attach": {"system": ["AliyunOTS*"], "groups": ["readers"]},
            "documents": {"actions": ["ots:*"], "resources": ["*"]},
            "adopt": {"users": ["legacy-a-*"]},
            "consoleLogin": "Allow",
        }))
        .await;
    let flags = Run { hand_over_after: Duration::ZERO, ..world.flags() };
    let clients = |config: kube::Config| Clients::new(&config).expect("clients");
    let operator = world.operator_with(flags, Environment::default(), clients).await;
    world.available("RamAccount", &world.name).await;
    // The second look pins the account's number, which is a reason to look at everybody once.
    world.reconcile("RamAccount", &world.name).await;
    // While it is there alone: a change of it is a reason to look at everybody who depends on it.
    let tenant = look(&world, "RamTenant", &world.name).await;
    let statement = json!({"effect": "Allow", "actions": ["ots:Get*"], "resources": ["*"]});
    for (kind, name, mut spec) in [
        ("RamPolicy", "unused", json!({"statements": [statement]})),
        ("RamPolicy", "used", json!({"statements": [statement]})),
        ("RamGroup", "team", json!({"policies": []})),
    ] {
        spec["accountRef"] = json!({"name": world.name});
        world.apply(json!({"kind": kind, "metadata": {"name": name, "namespace": world.ns}, "spec": spec})).await;
        world.available(kind, name).await;
    }
    let used = world.dynamic("RamPolicy", Some(&world.ns)).get("used").await.expect("there");
    // By a person's user: whoever refers to the object would be looked at with it.
    person.create_user("somebody", "");
    person.attach("somebody", "Custom", used.data["status"]["policyName"].as_str().expect("a name"));
    (world, operator, tenant)
}

async fn users(world: &World) {
    let [boss, reader] = LEGACY;
    let first = json!({"source": "Generate", "secret": {"name": "first"}});
    for (name, spec) in [
        ("plain", json!({})),
        (
            "person",
            json!({
                "groups": [{"type": "Ram", "name": "readers"}],
                "consoleLogin": {"initialPassword": first},
                "virtualMfa": {"secret": {"name": "mfa"}, "bind": "Operator"},
            }),
        ),
        ("adopted", json!({"userName": reader, "adoption": "IfUnowned", "deletionPolicy": "Retain"})),
        ("holder", json!({})),
        ("guarded", json!({})),
        ("leaky", json!({})),
        ("leaver", json!({})),
    ] {
        world.user(name, spec).await;
        world.available("RamUser", name).await;
    }
    world.user("observed", json!({"userName": boss, "management": "Observe"})).await;
    world.ready("RamUser", "observed", "True", "Observed").await;
    for (name, spec) in [
        ("holder", json!({})),
        ("guarded", json!({"allowedSources": {"publicCidrs": ["127.0.0.0/8"]}})),
        ("leaky", json!({})),
    ] {
        world.key(name, name, spec).await;
        world.available("RamAccessKey", name).await;
    }
}

/// An order that is done and stays as a note, and one that waits for a person; their names.
async fn revocations(world: &World) -> (String, String) {
    let leak = format!("{}-leak", world.name);
    let (id, _) = world.pair("leaky").await;
    let spec = json!({"accountRef": {"name": world.name}, "accessKeyId": id});
    world.apply(json!({"kind": "RamRevocation", "metadata": {"name": leak}, "spec": spec})).await;
    world.ready("RamRevocation", &leak, "True", "Revoked").await;
    // Somebody else's key keeps the user.
    world.ram.person().create_key(&world.ram_name("leaver"));
    world.delete("RamUser", "leaver").await;
    world.gone("RamUser", "leaver").await;
    let orders = world.dynamic("RamRevocation", None);
    let order = eventually("an order to remove the user", || async {
        let all = orders.list(&ListParams::default().labels(&world.label())).await.map_err(|e| e.to_string())?;
        let mut names = all.iter().map(|order| order.name_any());
        names.find(|name| *name != leak).ok_or_else(|| "none yet".to_owned())
    })
    .await;
    world.ready("RamRevocation", &order, "False", "Blocked").await;
    (leak, order)
}

/// Gives the account all four settings, and waits until they are as asked for.
async fn settings(world: &World) {
    let (own, _) = world.ram.access_key();
    world.ram.person().set_key_policy(&own, &public(&["127.0.0.1"]));
    let settings = json!({
        "alias": "acme",
        "passwordPolicy": {"minimumPasswordLength": 12},
        "securityPreference": {"loginSessionDuration": 8},
        "accessKeyAllowedSources": {"publicCidrs": ["127.0.0.0/8"]},
    });
    world.account(json!({ "settings": settings })).await;
    let api = world.dynamic("RamAccount", None);
    eventually("the settings to be applied", || async {
        let object = api.get(&world.name).await.map_err(|e| e.to_string())?;
        let applied = condition(&object.data, "SettingsApplied").cloned().unwrap_or_default();
        if applied["status"] == "True" { Ok(()) } else { Err(applied.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_each_kind_calls_what_readme_says() {
    let (world, operator, tenant) = corner().await;
    users(&world).await;
    let (leak, order) = revocations(&world).await;
    let mut seen = vec![tenant];
    for (kind, name) in [
        ("RamAccount", world.name.as_str()),
        ("RamAccount", ""),
        ("RamUser", "plain"),
        ("RamUser", "person"),
        ("RamUser", "observed"),
        ("RamUser", "adopted"),
        ("RamAccessKey", "holder"),
        ("RamAccessKey", "guarded"),
        ("RamPolicy", "unused"),
        ("RamPolicy", "used"),
        ("RamGroup", "team"),
        ("RamRevocation", leak.as_str()),
        ("RamRevocation", order.as_str()),
    ] {
        // With settings it is looked at last: another alias is a reason to look at everybody.
        seen.push(if name.is_empty() { String::new() } else { look(&world, kind, name).await });
    }
    settings(&world).await;
    seen[2] = look(&world, "RamAccount", &world.name).await;
    let wanted: Vec<(&str, &str)> = LOOKS.to_vec();
    let seen: Vec<(&str, &str)> = LOOKS.iter().map(|(what, _)| *what).zip(seen.iter().map(String::as_str)).collect();
    assert_eq!(seen, wanted);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[test]
fn readme_has_a_line_for_each_look() {
    let readme = include_str!("../../README.md");
    for (what, actions) in LOOKS {
        let calls = actions.split(", ").filter(|action| !action.is_empty()).count();
        let line = format!("| {what} | {calls} | {actions} |");
        // A cell without text is one space wide.
        assert!(readme.contains(&line.replace("|  |", "| |")), "README lacks: {line}");
    }
}
