//! What the controller knows and notes beside the steps: the plan's input, and the status.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use ram_operator::api;
use ram_operator::plan::adoption::{Adopting, may_be};
use ram_operator::plan::marker::Marker;
use ram_operator::plan::mfa_device;
use ram_operator::plan::ownership::Elsewhere;
use ram_operator::plan::ram_user as plan;
use ram_operator::plan::tenant::{Grants, Thing};
use ram_operator::plan::{AccountView, Reason, Verdict};
use ram_operator::ram::{LoginProfile, MfaInfo, MfaKind, User};
use serde_json::json;

use super::pass::{Found, UserPass, is_fresh};
use super::world::{Bound, Login, LoginNote, Mark, Mfa, MfaNote, Obj, Phase, Profile, Progress, State, Status, Want};
use crate::names::{ACCOUNT, NAMESPACE, OWNER, USER, USER_NAME, ts, uid_name, user_id};

const OTHER_DEVICE: &str = "acs:ram::1:mfa/phone";

pub fn is_marked(comments: &str) -> bool {
    Marker::parse(comments).1.is_some()
}

pub fn marker(uid: u8) -> Marker {
    Marker::of(OWNER, NAMESPACE, USER, &uid_name(uid))
}

/// The serial number of the device of our name.
pub fn serial() -> String {
    mfa_device::serial(ACCOUNT, &mfa_device::name(OWNER, NAMESPACE, USER))
}

pub fn bound(serial_number: &str) -> Bound {
    if serial_number == serial() { Bound::Ours } else { Bound::Other }
}

pub fn device(bound: Bound) -> MfaInfo {
    let serial_number = match bound {
        Bound::Ours => serial(),
        Bound::Other => OTHER_DEVICE.to_owned(),
    };
    MfaInfo { serial_number, kind: MfaKind::Virtual }
}

pub fn profile(profile: Profile) -> LoginProfile {
    LoginProfile {
        enabled: Some(profile.on),
        password_reset_required: false,
        mfa_bind_required: false,
        password_status: None,
    }
}

pub fn account_view() -> AccountView {
    AccountView { default_domain: Some("1.onaliyun.com".to_owned()), ..crate::key_process::account_view() }
}

thread_local! {
    static SPECS: RefCell<HashMap<Want, api::RamUserSpec>> = RefCell::new(HashMap::new());
    static GRANTS: Grants = Grants::of(
        &serde_json::from_value(json!({
            "namespaceSelector": {},
            "consoleLogin": "Allow",
            "retain": "Allow",
            "names": { "users": ["team-a.*"] },
            "adopt": { "users": ["team-a.*"] },
        }))
        .expect("a spec"),
        true,
    );
}

fn spec(want: Want) -> api::RamUserSpec {
    SPECS.with_borrow_mut(|specs| specs.entry(want).or_insert_with(|| written(want)).clone())
}

fn written(want: Want) -> api::RamUserSpec {
    let mut spec = json!({ "state": if want.suspended { "Suspended" } else { "Active" } });
    let password = if want.secret_ref {
        json!({ "source": "SecretRef", "secretRef": { "name": "chosen", "key": "password" } })
    } else {
        json!({ "source": "Generate", "secret": { "name": "reader-first" } })
    };
    match want.login {
        Login::NotManaged => {}
        Login::Enabled => spec["consoleLogin"] = json!({ "state": "Enabled", "initialPassword": password }),
        Login::Disabled => spec["consoleLogin"] = json!({ "state": "Disabled", "initialPassword": password }),
        Login::Absent => spec["consoleLogin"] = json!({ "state": "Absent" }),
    }
    match want.mfa {
        Mfa::NotManaged => {}
        Mfa::Operator => spec["virtualMfa"] = json!({ "secret": { "name": "reader-mfa" }, "bind": "Operator" }),
        Mfa::User => spec["virtualMfa"] = json!({ "secret": { "name": "reader-mfa" }, "bind": "User" }),
        Mfa::Absent => spec["virtualMfa"] = json!({ "state": "Absent" }),
    }
    if want.adopt {
        spec["adoption"] = json!("IfUnowned");
        spec["userName"] = json!(USER_NAME);
    }
    if want.retain {
        spec["deletionPolicy"] = json!("Retain");
    }
    serde_json::from_value(spec).expect("a spec")
}

fn grants(pass: &UserPass) -> Option<Grants> {
    (pass.grant == Some(true)).then(|| GRANTS.with(Clone::clone))
}

fn tenant(pass: &UserPass) -> Result<Grants, Verdict> {
    grants(pass).ok_or_else(|| Verdict::new(Reason::NotATenant))
}

fn adopting(memory: &Status) -> Adopting {
    Adopting { noted: memory.adopted.then(|| ts(0)), accepted: memory.accepted.then(|| ts(0)) }
}

/// Whether nothing may be taken from the user yet.
pub fn holds(memory: &Status) -> bool {
    adopting(memory).holds()
}

pub fn retains(pass: &UserPass) -> bool {
    let policy = spec(pass.obj().want).deletion_policy;
    adopting(&pass.memory).stays(policy, grants(pass).as_ref())
}

pub fn may_be_adopted(pass: &UserPass) -> bool {
    let spec = spec(pass.obj().want);
    may_be(grants(pass).as_ref(), Thing::User, spec.user_name.as_deref(), spec.adoption)
}

pub fn manages_login(pass: &UserPass) -> bool {
    pass.obj().want.login != Login::NotManaged || pass.memory.login.is_some()
}

pub fn manages_mfa(pass: &UserPass) -> bool {
    pass.obj().want.mfa != Mfa::NotManaged
}

pub fn may_have_device(pass: &UserPass) -> bool {
    manages_mfa(pass) || pass.memory.mfa.is_some()
}

/// Whether the spec asks for a device of the user's.
pub fn wants_device(pass: &UserPass) -> bool {
    matches!(pass.obj().want.mfa, Mfa::Operator | Mfa::User)
}

pub fn wants_password(pass: &UserPass) -> bool {
    pass.obj().want.login == Login::Enabled
}

pub fn mfa_fresh(pass: &UserPass, now: i64) -> bool {
    is_fresh(pass.memory.mfa.and_then(|note| note.since), now)
}

fn seal(text: u8) -> String {
    format!("k.{text}")
}

fn asked(value: Option<u8>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn reset(value: Option<u8>, progress: Progress) -> plan::Reset {
    plan::Reset { asked: asked(value), accepted: asked(progress.accepted), done: asked(progress.done) }
}

/// The number under a seal; nothing: the one that stands for some.
pub fn sealed(text: &str) -> Option<u8> {
    text.strip_prefix("k.").map(|number| number.parse().expect("a number"))
}

fn login_memory(note: LoginNote) -> plan::LoginMemory {
    plan::LoginMemory {
        state: note.state.real(),
        password_time: note.time.map(ts),
        password_seal: note.seal.map(seal),
        giving: note.giving.map(|text| text.map(seal).unwrap_or_default()),
    }
}

/// What is noted once RAM shows that the user may log on.
pub fn shown(note: LoginNote, found: Found) -> LoginNote {
    let memory = login_memory(note).shown(&password(found));
    LoginNote {
        state: State::of(memory.state),
        time: note.time,
        seal: memory.password_seal.as_deref().and_then(sealed),
        giving: memory.giving.as_deref().map(sealed),
    }
}

fn memory(memory: &Status) -> plan::Memory {
    let mfa = |note: MfaNote| plan::MfaMemory {
        phase: note.phase.real(),
        serial_number: note.device.map(|bound| device(bound).serial_number),
        since: note.since.map(ts),
    };
    plan::Memory {
        account_id: memory.known.map(|_| ACCOUNT.to_owned()),
        user_id: memory.known.map(user_id),
        marker_uid: memory.marker_uid.map(uid_name),
        create_time: memory.made.map(ts),
        login: memory.login.map(login_memory),
        adoption: adopting(memory),
        mfa: memory.mfa.map(mfa),
    }
}

fn in_ram(pass: &UserPass) -> plan::InRam {
    let user = pass.user.map(|user| User {
        user_id: user_id(user.id),
        user_name: USER_NAME.to_owned(),
        display_name: String::new(),
        comments: match user.mark {
            Mark::None => String::new(),
            Mark::Ours(uid) => marker(uid).append_to(""),
        },
        email: String::new(),
        mobile_phone: String::new(),
        create_time: Some(ts(user.made)),
    });
    plan::InRam {
        user,
        renamed_to: None,
        policies: Vec::new(),
        keys: Vec::new(),
        login: pass.user.and_then(|user| user.login).map(profile),
        groups: Vec::new(),
        mfa: pass.user.and_then(|user| user.mfa).map(device),
    }
}

fn password(found: Found) -> plan::PasswordSeen {
    match (found.foreign, found.text) {
        (true, _) => plan::PasswordSeen::Foreign,
        (false, None) => plan::PasswordSeen::Absent,
        (false, Some(text)) => plan::PasswordSeen::There(seal(text)),
    }
}

fn seed(found: Found) -> plan::SeedSeen {
    match found {
        Found { foreign: true, .. } => plan::SeedSeen::Foreign,
        Found { there: false, .. } => plan::SeedSeen::Absent,
        Found { text: None, .. } => plan::SeedSeen::Empty,
        Found { text: Some(_), .. } => plan::SeedSeen::There,
    }
}

/// Everything the plan sees.
pub fn seen(pass: &UserPass, now: i64) -> plan::Seen {
    let object = pass.obj();
    plan::Seen {
        deleting: object.deleting.is_some(),
        deletion_time: object.deleting.map(ts),
        finalizer: object.finalizer,
        paused: false,
        spec: spec(object.want),
        memory: memory(&pass.memory),
        user_name: USER_NAME.to_owned(),
        marker: pass.account.then(|| marker(object.uid)),
        account: if pass.account { Ok(account_view()) } else { Err(Verdict::new(Reason::AccountNotReady)) },
        tenant: tenant(pass),
        ram: pass.read.then(|| in_ram(pass)),
        witnessed: pass.witnessed,
        key_objects: Vec::new(),
        quota_reached: false,
        references: BTreeMap::new(),
        group_references: BTreeMap::new(),
        documents: BTreeMap::new(),
        contents: BTreeMap::new(),
        groups_full: false,
        password: password(pass.password),
        reset: reset(object.reset, pass.memory.reset),
        login_fresh: is_fresh(pass.memory.login.and_then(|note| note.time), now),
        mfa: mfa_facts(pass, now),
        disable_refused: false,
        elsewhere: Elsewhere::Nothing,
    }
}

fn mfa_facts(pass: &UserPass, now: i64) -> plan::MfaFacts {
    let deeds = pass.deeds;
    plan::MfaFacts {
        serial: if pass.account { serial() } else { String::new() },
        seed: seed(pass.seed),
        reset: reset(pass.obj().reset_mfa, pass.memory.reset_mfa),
        fresh: mfa_fresh(pass, now),
        confirmed: deeds.confirmed,
        unbound: deeds.unbound,
        claimed: deeds.claimed,
        made: deeds.made,
        exists: deeds.exists,
        deleted: deeds.deleted,
        held: deeds.held,
        loose: deeds.loose.map(|bound| device(bound).serial_number),
    }
}

/// The status as the facts of this pass make it.
pub fn status(pass: &UserPass, now: i64) -> Status {
    let (object, memory) = (pass.obj(), pass.memory);
    let mut status = object.status;
    let Some(user) = pass.user.filter(|user| pass.account && pass.read && Some(user.id) == memory.known) else {
        return status;
    };
    status.known = memory.known;
    status.made = Some(user.made);
    status.marker_uid = memory.marker_uid;
    status.adopted = memory.adopted;
    status.accepted = memory.accepted;
    status.login = login_note(pass, object, user.login);
    if memory.reset.accepted.is_some() {
        status.reset = memory.reset;
    }
    status.mfa = mfa_note(pass, user.mfa, now);
    let mut progress = memory.reset_mfa;
    let wanted = spec(object.want).virtual_mfa;
    if wanted.zip(status.mfa).is_some_and(|(wanted, note)| plan::complete(note.phase.real(), &wanted)) {
        progress.done = progress.accepted;
    }
    if progress.accepted.is_some() {
        status.reset_mfa = progress;
    }
    status
}

fn login_note(pass: &UserPass, object: &Obj, has: Option<Profile>) -> Option<LoginNote> {
    let login = pass.memory.login;
    match (object.want.login, has) {
        (Login::Enabled, Some(profile))
            if profile.on && !object.want.suspended && login.is_none_or(|note| !login_memory(note).is_off()) =>
        {
            Some(shown(login.unwrap_or_default(), pass.password))
        }
        (Login::Absent, None) => {
            Some(LoginNote { state: State::Absent, seal: login.and_then(|note| note.seal), ..LoginNote::default() })
        }
        _ => login,
    }
}

fn mfa_note(pass: &UserPass, has: Option<Bound>, now: i64) -> Option<MfaNote> {
    let known = pass.memory.mfa;
    let phase = known.map(|note| note.phase);
    let replaced = |bound| plan::replaced(memory(&pass.memory).mfa.as_ref(), &mfa_facts(pass, now), &device(bound));
    let taken_away = |bound| match phase {
        Some(Phase::Leaving) => replaced(bound) || mfa_fresh(pass, now),
        Some(Phase::Absent) => mfa_fresh(pass, now),
        _ => false,
    };
    let may_be_gone =
        |bound| plan::may_be_gone(memory(&pass.memory).mfa.as_ref(), &mfa_facts(pass, now), &device(bound));
    let is_news = |device: Bound| {
        let noted = known.filter(|note| note.phase == Phase::Bound).and_then(|note| note.device);
        noted != Some(device) && (device == Bound::Ours || pass.deeds.deleted)
    };
    match (pass.obj().want.mfa, has) {
        (Mfa::Operator | Mfa::User, Some(bound)) if !taken_away(bound) && !may_be_gone(bound) && is_news(bound) => {
            Some(MfaNote { phase: Phase::Bound, device: Some(bound), since: Some(now) })
        }
        (Mfa::Absent, None) if phase != Some(Phase::Absent) && pass.deeds.deleted && !pass.deeds.held => {
            Some(MfaNote { phase: Phase::Absent, device: None, since: Some(now) })
        }
        _ => known,
    }
}
