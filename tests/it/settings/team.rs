//! The life of a team: a policy that is written more often than RAM keeps versions, a group that has it, a member, and their end while RAM still says
//! that they are in use.

use std::time::Duration;

use serde_json::{Value, json};

use super::{each_way, way};
use crate::rotation::assert_says;
use crate::support::ram::{Options, RolePreset, Trust};
use crate::world::{World, eventually, merge};

const READ: &str = "AliyunOTSReadOnlyAccess";
/// How long RAM says that something is in use which is not any more, where it does.
const LAG: Duration = Duration::from_mins(5);
/// Versions of a policy that RAM keeps.
const KEPT: usize = 5;

/// Every setting that touches a team away from its default, alone and all together.
fn ways() -> Vec<(&'static str, Options)> {
    vec![
        way("team", |_| {}),
        way("numbers-reused", |o| o.version_numbers_reused = true),
        way("not-action", |o| o.not_action_allowed = true),
        way("role-code", |o| "DeleteConflict.Policy.Role".clone_into(&mut o.role_conflict_code)),
        way("in-use-lags", |o| o.delete_conflict_lag = LAG),
        way("undotted", |o| o.dotted_group_names = false),
        way("team-others", others),
        way("team-all", |o| {
            others(o);
            o.version_numbers_reused = true;
            o.not_action_allowed = true;
            o.delete_conflict_lag = LAG;
            o.dotted_group_names = false;
        }),
    ]
}

fn others(o: &mut Options) {
    o.role_conflict_code = "DeleteConflict.Other".to_owned();
    o.policy_size_in_bytes = false;
    o.case_insensitive_names = false;
    o.empty_fields = false;
    o.v3_json_by_default = true;
    o.page_size_limit = 1;
    o.throttle_status = 429;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_comes_to_the_same_end_whichever_way_ram_does_it() {
    each_way(ways(), life).await;
}

async fn life(name: &'static str, mut options: Options) {
    options.roles = vec![RolePreset::new("batch", Trust::Account)];
    let world = World::with(name, options.clone()).await;
    let spec = json!({
        "attach": {"system": ["AliyunOTS*"]},
        "documents": {"actions": ["ots:*"], "resources": ["acs:ots:*:*:instance/team-a-*"]},
        "names": {"groups": ["team-*"]},
    });
    world.tenant(spec).await;
    let operator = world.operator().await;
    apply(&world, "RamPolicy", "sensors", statements("ots:Get*")).await;
    let object = world.available("RamPolicy", "sensors").await;
    let policy = object["status"]["policyName"].as_str().expect("a name").to_owned();
    let (object, group) = grouped(&world, &options).await;
    world.user("alice", member_of(json!([{"type": "RamGroup", "name": object}]))).await;
    world.available("RamUser", "alice").await;
    let shown = world.in_ram().groups[&group].clone();
    assert_eq!(shown.policies, [format!("Custom/{policy}"), format!("System/{READ}")]);
    assert_eq!(shown.members, [world.ram_name("alice")]);

    rewritten(&world, &options, &policy).await;
    dissolved(&world, &options, &policy, object, &group).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

async fn apply(world: &World, kind: &str, name: &str, more: Value) {
    let mut spec = json!({"accountRef": {"name": world.name}});
    merge(&mut spec, more);
    world.apply(json!({"kind": kind, "metadata": {"name": name, "namespace": world.ns}, "spec": spec})).await;
}

fn statements(action: &str) -> Value {
    json!({"statements": [{"effect": "Allow", "actions": [action], "resources": ["acs:ots:*:*:instance/team-a-x"]}]})
}

fn member_of(groups: Value) -> Value {
    json!({"policies": [], "groups": groups})
}

fn holding(mut policies: Vec<Value>, name: Option<&str>) -> Value {
    policies.insert(0, json!({"type": "System", "name": READ}));
    let mut spec = json!({"policies": policies});
    if let Some(name) = name {
        spec["groupName"] = json!(name);
    }
    spec
}

/// The name that a group of this object gives itself, if it is not the generated one.
fn given(options: &Options) -> Option<&'static str> {
    (!options.dotted_group_names).then_some("team-readers")
}

/// The group's object and its name in RAM.
async fn grouped(world: &World, options: &Options) -> (&'static str, String) {
    let both = || vec![json!({"type": "RamPolicy", "name": "sensors"})];
    let generated = format!("{}.readers", world.ns);
    apply(world, "RamGroup", "readers", holding(both(), None)).await;
    let Some(name) = given(options) else {
        world.available("RamGroup", "readers").await;
        return ("readers", generated);
    };
    let object = world.ready("RamGroup", "readers", "False", "NameRefused").await;
    assert_says(&object, "Stalled", &[&generated, "groupName"]);
    world.delete("RamGroup", "readers").await;
    world.clock.advance(Duration::from_mins(2));
    world.poke("RamGroup", "readers").await;
    world.gone("RamGroup", "readers").await;
    apply(world, "RamGroup", "named", holding(both(), Some(name))).await;
    world.available("RamGroup", "named").await;
    assert!(!world.in_ram().groups.contains_key(&generated));
    ("named", name.to_owned())
}

async fn rewritten(world: &World, options: &Options, policy: &str) {
    world.writes();
    let in_force = || world.in_ram().policies[policy].document.clone();
    let mut versions = 1;
    for action in ["ots:List*", "ots:Put*", "ots:Search", "ots:Batch*", "ots:Update*", "ots:Insert*"] {
        apply(world, "RamPolicy", "sensors", statements(action)).await;
        world.available("RamPolicy", "sensors").await;
        versions += 1;
        assert!(in_force().contains(action), "{}", in_force());
    }
    // What only denies is in no tenant's way. Whether RAM takes it is open.
    let denies = json!({"Effect": "Deny", "NotAction": ["ots:*"], "Resource": ["*"]});
    let document = json!({"Version": "1", "Statement": [denies]}).to_string();
    apply(world, "RamPolicy", "sensors", json!({"documentJson": document})).await;
    if options.not_action_allowed {
        world.available("RamPolicy", "sensors").await;
        versions += 1;
        assert!(in_force().contains("NotAction"), "{}", in_force());
    } else {
        let object = world.ready("RamPolicy", "sensors", "False", "RequestRefused").await;
        assert_says(&object, "Stalled", &["CreatePolicyVersion answered MalformedPolicyDocument"]);
        assert!(in_force().contains("ots:Insert*"), "{}", in_force());
    }
    apply(world, "RamPolicy", "sensors", statements("ots:Delete*")).await;
    world.available("RamPolicy", "sensors").await;
    versions += 1;
    assert_eq!(world.writes(), vec![format!("CreatePolicyVersion Custom/{policy}"); versions - 1]);

    let number = |n: usize| if options.version_numbers_reused { (n - 1) % KEPT + 1 } else { n };
    let wanted: Vec<String> = (versions + 1 - KEPT..=versions).map(|n| format!("v{}", number(n))).collect();
    let shown = world.in_ram().policies[policy].clone();
    let ids: Vec<String> = shown.versions.into_iter().map(|version| version.id).collect();
    assert_eq!(ids, wanted);
    assert_eq!(Some(&shown.default_version), wanted.last());
    assert!(shown.document.contains("ots:Delete*"), "{}", shown.document);
    world.reconcile("RamPolicy", "sensors").await;
    assert_eq!(world.writes(), Vec::<String>::new());
}

/// Waits until RAM has said that something is in use, and returns its code.
async fn refused(world: &World, action: &str) -> String {
    eventually(&format!("{action} to be refused"), || async {
        let calls = world.ram.journal();
        let conflict = calls.iter().filter(|call| call.action == action).find_map(|call| call.code.clone());
        conflict.ok_or("not yet")
    })
    .await
}

async fn dissolved(world: &World, options: &Options, policy: &str, object: &str, group: &str) {
    apply(world, "RamGroup", object, holding(Vec::new(), given(options))).await;
    world.user("alice", member_of(json!([]))).await;
    world.available("RamGroup", object).await;
    world.available("RamUser", "alice").await;
    let shown = world.in_ram().groups[group].clone();
    assert_eq!((shown.policies, shown.members), (vec![format!("System/{READ}")], Vec::new()));
    world.writes();

    // A role that got the policy a moment ago does not show yet.
    world.ram.set_read_lag(Duration::from_hours(1));
    world.ram.person().attach_to_role("batch", "Custom", policy);
    world.delete("RamPolicy", "sensors").await;
    let code = refused(world, "DeletePolicy").await;
    if options.delete_conflict_lag.is_zero() {
        assert_eq!(code, options.role_conflict_code);
    }
    world.ram.set_read_lag(Duration::ZERO);
    world.clock.advance(LAG + Duration::from_mins(1));
    world.poke("RamPolicy", "sensors").await;
    let blocked = world.ready("RamPolicy", "sensors", "False", "Blocked").await;
    assert_says(&blocked, "Stalled", &["role batch"]);
    world.ram.person().detach_from_role("batch", "Custom", policy);
    world.poke("RamPolicy", "sensors").await;
    world.gone("RamPolicy", "sensors").await;

    world.delete("RamGroup", object).await;
    if !options.delete_conflict_lag.is_zero() {
        assert_eq!(refused(world, "DeleteGroup").await, "DeleteConflict.Group.Policy");
        world.clock.advance(LAG + Duration::from_mins(1));
        world.poke("RamGroup", object).await;
    }
    world.gone("RamGroup", object).await;
    world.delete("RamUser", "alice").await;
    world.gone("RamUser", "alice").await;
    let user = world.ram_name("alice");
    let lines = [
        format!("DeletePolicy Custom/{policy}"),
        format!("DetachPolicyFromGroup {group} System/{READ}"),
        format!("DeleteGroup {group}"),
        format!("DeleteUser {user}"),
    ];
    assert_eq!(world.writes(), lines);
    let end = world.in_ram();
    assert!(!end.users.contains_key(&user) && end.groups.is_empty() && end.policies.is_empty(), "{end:?}");
}
