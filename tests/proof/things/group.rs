//! What the plan of a RamGroup sees, and what it asks for.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use ram_operator::api;
use ram_operator::plan::document::Document;
use ram_operator::plan::marker::Marker;
use ram_operator::plan::ownership::Elsewhere;
use ram_operator::plan::{Next, Reason, Verdict, ram_group as plan};
use ram_operator::ram::{Group, PolicyRef, PolicyType};
use serde_json::json;

use super::pass::{Act, ThingPass};
use super::world::{DENY, MORE, Mark, Thing, Want};
use crate::key_process::account_view;
use crate::names::{ACCOUNT, NAMESPACE, OWNER, ts, uid_name};

pub const NAME: &str = "readers";
pub const RAM_NAME: &str = "team-a.readers";
const OUR_USER: &str = "team-a.reader";
const OTHER_USER: &str = "alice";
/// How the names of policies begin.
const PREFIX: &str = "policy-";

pub fn marker(uid: u8) -> Marker {
    Marker::for_kind("RamGroup", OWNER, NAMESPACE, NAME, &uid_name(uid))
}

fn policy(number: u8) -> PolicyRef {
    PolicyRef { kind: PolicyType::Custom, name: format!("{PREFIX}{number}") }
}

fn number_of(policy: &PolicyRef) -> u8 {
    let digits = policy.name.strip_prefix(PREFIX).and_then(|digits| digits.parse().ok());
    digits.unwrap_or_else(|| panic!("{policy} is no policy of the model"))
}

/// What a policy says.
fn document(number: u8) -> Option<Document> {
    let effect = if number == DENY { "Deny" } else { "Allow" };
    // The tenant may have no more than one service.
    let action = if number == MORE { "ecs:*" } else { "ots:*" };
    let statement = json!({ "Effect": effect, "Action": action, "Resource": "*" });
    Document::parse(&json!({ "Version": "1", "Statement": [statement] }).to_string()).ok()
}

thread_local! {
    static SPECS: RefCell<HashMap<Want, api::RamGroupSpec>> = RefCell::new(HashMap::new());
}

fn spec(want: Want) -> api::RamGroupSpec {
    let written = || {
        let mut spec = json!({ "policies": [{ "type": "Custom", "name": policy(want.what).name }] });
        if want.adopt {
            spec["adoption"] = json!("IfUnowned");
            spec["groupName"] = json!(RAM_NAME);
        }
        if want.retain {
            spec["deletionPolicy"] = json!("Retain");
        }
        serde_json::from_value(spec).expect("a spec")
    };
    SPECS.with_borrow_mut(|specs| specs.entry(want).or_insert_with(written).clone())
}

/// RAM's `GroupId`.
pub fn id(number: u8) -> String {
    format!("g-{number}")
}

/// The group; `all`: with what it has and who is in it.
pub fn in_ram(thing: Option<&Thing>, all: bool) -> plan::InRam {
    let Some(thing) = thing else { return plan::InRam::default() };
    let comments = match thing.mark {
        Mark::None => "by hand".to_owned(),
        Mark::Ours(uid) => marker(uid).append_to(""),
    };
    let group = Group { id: id(thing.id), name: RAM_NAME.to_owned(), comments };
    let mut seen = plan::InRam { group: Some(group), ..plan::InRam::default() };
    if all {
        seen.policies = thing.policies.iter().map(|number| policy(*number)).collect();
        seen.members.extend(thing.with_ours.then(|| (OUR_USER.to_owned(), true)));
        seen.members.extend(thing.with_others.then(|| (OTHER_USER.to_owned(), false)));
    }
    seen
}

fn seen(pass: &ThingPass) -> plan::Seen {
    let (object, memory) = (pass.obj(), &pass.memory);
    let thing = pass.thing.as_ref();
    let ours =
        |thing: &Thing| memory.known.is_none_or(|known| known == thing.id) || thing.mark == Mark::Ours(object.uid);
    plan::Seen {
        deleting: object.deleting.is_some(),
        deletion_time: object.deleting.map(ts),
        finalizer: object.finalizer,
        paused: false,
        group_name: RAM_NAME.to_owned(),
        spec: spec(object.want),
        memory: plan::Memory {
            account_id: memory.known.map(|_| ACCOUNT.to_owned()),
            group_id: memory.known.map(id),
            marker_uid: memory.marker_uid.map(uid_name),
            create_time: memory.made.map(ts),
            adoption: pass.adopting(),
        },
        marker: pass.account.then(|| marker(object.uid)),
        account: if pass.account { Ok(account_view()) } else { Err(Verdict::new(Reason::AccountNotReady)) },
        tenant: pass.tenant(),
        ram: pass.read.then(|| in_ram(thing, thing.is_some_and(ours))),
        witnessed: pass.witnessed,
        elsewhere: Elsewhere::Nothing,
        references: BTreeMap::new(),
        documents: pass.looked.iter().map(|number| (policy(*number), document(*number))).collect(),
        quota_reached: false,
    }
}

pub fn next(pass: &ThingPass, now: i64) -> Next<Act> {
    match plan::next(&seen(pass), ts(now)) {
        Next::Rest(verdict) => Next::Rest(verdict),
        Next::Do(step) => Next::Do(act(&step)),
    }
}

pub fn act(step: &plan::Step) -> Act {
    use plan::Step;
    match step {
        Step::AddFinalizer => Act::AddFinalizer,
        Step::RemoveFinalizer => Act::RemoveFinalizer,
        Step::RecordAdoption => Act::RecordAdoption,
        Step::Create(_) => Act::Create,
        Step::Comment(text) => Act::Mark(Marker::parse(text).1.is_some()),
        Step::AttachPolicy(policy) => Act::Attach(number_of(policy)),
        Step::DetachPolicy(policy) => Act::Detach(number_of(policy)),
        Step::LookAtPolicy(policy) => Act::Look(number_of(policy)),
        Step::RemoveMember(name) if name == OUR_USER => Act::Free,
        Step::RemoveMember(name) => panic!("{name} is taken out of the group"),
        Step::Delete => Act::Delete,
    }
}
