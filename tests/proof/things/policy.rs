//! What the plan of a RamPolicy sees, and what it asks for.

use std::cell::RefCell;
use std::collections::HashMap;

use ram_operator::api;
use ram_operator::digest;
use ram_operator::plan::document::Document;
use ram_operator::plan::marker::Marker;
use ram_operator::plan::ownership::{Elsewhere, Known, Ownership, ownership};
use ram_operator::plan::{Next, Reason, Verdict, ram_policy as plan};
use serde_json::json;

use super::pass::{Act, ThingPass};
use super::world::{DENY, MORE, Mark, ONE, TWO, Thing, Want};
use crate::key_process::account_view;
use crate::names::{ACCOUNT, NAMESPACE, OWNER, ts, uid_name};

pub const NAME: &str = "sensors";
pub const RAM_NAME: &str = "team-a-sensors";
const OUR_USER: &str = "team-a.reader";
const OTHER_USER: &str = "alice";

pub fn marker(uid: u8) -> Marker {
    Marker::for_kind("RamPolicy", OWNER, NAMESPACE, NAME, &uid_name(uid))
}

/// A document by its number.
fn document(number: u8) -> String {
    let statement = json!({ "Effect": "Allow", "Action": [format!("ots:Get{number}*")], "Resource": ["*"] });
    json!({ "Version": "1", "Statement": [statement] }).to_string()
}

thread_local! {
    static SPECS: RefCell<HashMap<Want, api::RamPolicySpec>> = RefCell::new(HashMap::new());
    /// As they are sent, and their digests.
    static SENT: HashMap<u8, (String, String)> = [ONE, TWO, MORE, DENY]
        .into_iter()
        .map(|number| {
            let text = Document::parse(&document(number)).expect("a document").text();
            let sha256 = digest::hex(&[&text]);
            (number, (text, sha256))
        })
        .collect();
}

fn number_of(text: &str) -> u8 {
    let found = SENT.with(|sent| sent.iter().find(|(_, (sent, _))| sent == text).map(|(number, _)| *number));
    found.unwrap_or_else(|| panic!("{text} is no document of the model"))
}

fn digest_of(number: u8) -> String {
    SENT.with(|sent| sent[&number].1.clone())
}

fn spec(want: Want) -> api::RamPolicySpec {
    let written = || {
        let mut spec = json!({ "documentJson": document(want.what) });
        if want.adopt {
            spec["adoption"] = json!("IfUnowned");
            spec["policyName"] = json!(RAM_NAME);
        }
        if want.retain {
            spec["deletionPolicy"] = json!("Retain");
        }
        serde_json::from_value(spec).expect("a spec")
    };
    SPECS.with_borrow_mut(|specs| specs.entry(want).or_insert_with(written).clone())
}

fn description(mark: Mark) -> String {
    match mark {
        Mark::None => "by hand".to_owned(),
        Mark::Ours(uid) => marker(uid).append_to(""),
    }
}

fn real(thing: &Thing) -> plan::Policy {
    plan::Policy {
        create_time: ts(thing.made).to_string(),
        description: description(thing.mark),
        document: thing.document().map(document).unwrap_or_default(),
    }
}

/// The policy, and who has it.
pub fn in_ram(thing: Option<&Thing>, holders: bool) -> plan::InRam {
    let mut all = Vec::new();
    if let Some(thing) = thing.filter(|_| holders) {
        let user = |name: &str| plan::Holder::User(name.to_owned());
        all.extend(thing.with_ours.then(|| (user(OUR_USER), true)));
        all.extend(thing.with_others.then(|| (user(OTHER_USER), false)));
    }
    plan::InRam { policy: thing.map(real), holders: all }
}

/// Whether the status tells of it.
pub fn is_ours(pass: &ThingPass, thing: &Thing) -> bool {
    let identity = pass.memory.made.map(|made| ts(made).to_string());
    let uid = pass.memory.marker_uid.map(uid_name);
    let known = Known { identity: identity.as_deref(), marker_uid: uid.as_deref(), elsewhere: Elsewhere::Nothing };
    let policy = real(thing);
    let ours = marker(pass.obj().uid);
    identity.is_some()
        && !matches!(ownership(known, &ours, &policy.create_time, &policy.description), Ownership::Not(_))
}

fn seen(pass: &ThingPass) -> plan::Seen {
    let (object, memory) = (pass.obj(), &pass.memory);
    plan::Seen {
        deleting: object.deleting.is_some(),
        deletion_time: object.deleting.map(ts),
        finalizer: object.finalizer,
        paused: false,
        policy_name: RAM_NAME.to_owned(),
        spec: spec(object.want),
        memory: plan::Memory {
            account_id: memory.known.map(|_| ACCOUNT.to_owned()),
            create_time: memory.made.map(|made| ts(made).to_string()),
            marker_uid: memory.marker_uid.map(uid_name),
            written: memory.written.map(|(number, time)| (digest_of(number), ts(time))),
            adoption: pass.adopting(),
        },
        marker: pass.account.then(|| marker(object.uid)),
        account: if pass.account { Ok(account_view()) } else { Err(Verdict::new(Reason::AccountNotReady)) },
        tenant: pass.tenant(),
        ram: pass.read.then(|| in_ram(pass.thing.as_ref(), pass.deleting())),
        witnessed: pass.witnessed,
        elsewhere: Elsewhere::Nothing,
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
        Step::Create(..) => Act::Create,
        Step::Describe(text) => Act::Mark(Marker::parse(text).1.is_some()),
        Step::CreateVersion(text) => Act::Version(number_of(text)),
        Step::Detach(plan::Holder::User(name)) if name == OUR_USER => Act::Free,
        Step::Detach(holder) => panic!("the policy is taken from {holder:?}"),
        Step::Delete => Act::Delete,
    }
}
