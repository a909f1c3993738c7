//! What must hold: at every write that a pass decides on, in every state, and once everything has come to rest.

use ram_operator::plan::Reason;

use super::facts;
use super::pass::{Act, UserPass};
use super::revocation;
use super::world::{AnyPass, Bound, Login, Mark, Mfa, OWN, Obj, Phase, User, Who, World};
use crate::process::Outcome;

type Check = Result<(), String>;

/// A write to RAM that a pass over the RamUser is about to do. What was decided long before is excused: RAM has no fence for it.
pub fn at_write(pass: &UserPass, world: &World, act: Act) -> Check {
    if pass.was_frozen {
        return Ok(());
    }
    if let Some(user) = &world.ram.user {
        on_foreign(pass, user, act)?;
    }
    let grants = match act {
        Act::CreateUser | Act::MakeDevice | Act::Bind => true,
        Act::Log { password, enabled, .. } => password || enabled == Some(true),
        _ => false,
    };
    if grants && pass.grant != Some(true) {
        return Err(format!("{act:?} without the tenant's grant"));
    }
    if grants && !pass.obj().finalizer {
        return Err(format!("{act:?} without a finalizer"));
    }
    if grants && pass.deleting() {
        return Err(format!("{act:?} of a RamUser that is being deleted"));
    }
    let takes = matches!(act, Act::DeleteLogin | Act::Unbind | Act::DeleteUser);
    if takes && facts::holds(&pass.memory) {
        return Err(format!("{act:?} before the adoption is accepted"));
    }
    match act {
        Act::Log { create, password, enabled } => at_log(pass, world, create, password, enabled),
        Act::MakeDevice | Act::Bind
            if world.mfa_gone == Some(Who::Person) && !world.may_bind && !asked_for_device(pass.obj()) =>
        {
            Err("an MFA device is given again that a person took away".to_owned())
        }
        Act::DeleteLogin if !pass.deleting() && pass.obj().want.login != Login::Absent => {
            Err("a log-on is deleted that nobody wants gone".to_owned())
        }
        Act::Unbind if !pass.deleting() && pass.obj().want.mfa != Mfa::Absent && !asked_for_device(pass.obj()) => {
            Err("an MFA device is taken away that nobody wants gone".to_owned())
        }
        _ => Ok(()),
    }
}

/// A user is ours by its id, or by its marker; one without a marker is taken over where that is asked for.
fn on_foreign(pass: &UserPass, user: &User, act: Act) -> Check {
    let known = pass.memory.known == Some(user.id);
    let marked = matches!(user.mark, Mark::Ours(_)) && pass.memory.known.is_none_or(|id| id == user.id);
    let taken_over = act == Act::Mark(true) && user.mark == Mark::None && pass.obj().want.adopt && pass.memory.adopted;
    // Refused by RAM, or about a device of ours that is bound to nobody.
    let harmless = matches!(act, Act::CreateUser | Act::DeleteDevice(Bound::Ours));
    if known || marked || taken_over || harmless { Ok(()) } else { Err(format!("{act:?} touches a foreign user")) }
}

fn open(asked: Option<u8>, done: Option<u8>) -> bool {
    asked.is_some() && asked != done
}

fn asked_for_password(object: &Obj) -> bool {
    open(object.reset, object.status.reset.done)
}

fn asked_for_device(object: &Obj) -> bool {
    open(object.reset_mfa, object.status.reset_mfa.done)
}

fn at_log(pass: &UserPass, world: &World, create: bool, password: bool, enabled: Option<bool>) -> Check {
    let has = world.ram.user.and_then(|user| user.login);
    let asked = asked_for_password(pass.obj());
    if password {
        let secret = world.password.filter(|secret| secret.marked || pass.obj().want.secret_ref);
        let text = secret.and_then(|secret| secret.text);
        if text.is_none() || text != pass.password.text {
            return Err("a password is given that is not in its Secret".to_owned());
        }
        // The answer to it was lost.
        let unsure = pass.memory.login.is_some_and(|note| note.giving.is_some());
        let another = pass.obj().want.secret_ref && has.is_some_and(|profile| Some(profile.password) != text);
        if !create && !asked && !another && !unsure {
            return Err("a password is given again without a cause".to_owned());
        }
    }
    if enabled == Some(true) && !asked && !world.may_enable {
        let outside = match has {
            Some(profile) => profile.off_by == Some(Who::Person),
            None => world.login_gone == Some(Who::Person),
        };
        if outside {
            return Err("a log-on that a person took away is given again".to_owned());
        }
    }
    Ok(())
}

/// A seed that is about to be written to its Secret.
pub fn at_seed(world: &World, seed: u8) -> Check {
    let older = |other: u8| other > seed;
    if world.seed.and_then(|secret| secret.text).filter(|_| !world.seed_changed).is_some_and(older) {
        return Err("an older seed overwrites a newer one".to_owned());
    }
    // Where a person deleted the one before, whoever made that did not know.
    if world.ram.device.is_some_and(|device| older(device.seed) && !device.late) && !world.device_deleted {
        return Err("the seed of a device that is gone is written beside a newer device".to_owned());
    }
    Ok(())
}

/// A write to RAM that a pass over an order is about to do.
pub fn at_order_write(world: &World, uid: u8, act: revocation::Act) -> Check {
    let Some(user) = world.ram.user else { return Ok(()) };
    if act == revocation::Act::DeleteDevice(Bound::Ours) {
        return Ok(());
    }
    match user.mark {
        Mark::Ours(marked) if marked == uid => Ok(()),
        mark => Err(format!("an order: {act:?} touches a user with {mark:?}")),
    }
}

/// What must hold in every state.
pub fn check(world: &World) -> Check {
    let device = world.ram.device;
    if world.is_bound() && !device.is_some_and(|device| device.published || device.late) {
        return Err("a device is bound whose seed was never in its Secret".to_owned());
    }
    let Some(object) = &world.obj else { return Ok(()) };
    let issued = object.status.mfa.is_some_and(|note| note.phase == Phase::Issued);
    let text = world.seed.filter(|secret| secret.marked).and_then(|secret| secret.text);
    if let (true, Some(text), Some(device)) = (issued && !world.seed_changed, text, device)
        && !device.late
        && !world.device_deleted
        && device.seed != text
    {
        return Err("the seed that was handed over is that of another device".to_owned());
    }
    Ok(())
}

/// Nothing when the world is at rest as it should be, else what is not.
pub fn good(world: &World, last: &[AnyPass]) -> Option<String> {
    for pass in last {
        if let AnyPass::Order(order) = pass {
            let unmarked = world.ram.user.is_some_and(|user| user.mark == Mark::None);
            let refused = order.outcome == Some(Outcome::Rest(Reason::UserNotOwned));
            if !(refused && unmarked) {
                return Some(format!("order {} is not done: {:?}", order.uid, order.outcome));
            }
        }
    }
    let Some(object) = &world.obj else { return left_over(world) };
    let outcome = last.iter().find_map(|pass| match pass {
        AnyPass::User(pass) => pass.outcome,
        AnyPass::Order(_) => None,
    });
    if object.deleting.is_some() {
        return Some(format!("still there: {outcome:?}"));
    }
    let Some(Outcome::Rest(reason)) = outcome else { return Some(format!("{outcome:?}")) };
    good_object(world, object, reason)
}

/// Nothing of ours is left when the object is gone.
fn left_over(world: &World) -> Option<String> {
    let user = world.ram.user;
    if user.is_some_and(|user| user.mark != Mark::None && !user.late) && !world.kept {
        return Some("a user is left over".to_owned());
    }
    // A user that is not ours any more keeps what it has.
    let held = user.is_some_and(|user| user.mark == Mark::None) || world.is_bound();
    if world.ram.device.is_some_and(|device| !device.late) && !held && !world.kept && !world.released {
        return Some("an MFA device is left over".to_owned());
    }
    None
}

fn outside(who: Option<Who>) -> bool {
    matches!(who, Some(Who::Person | Who::Late))
}

fn good_object(world: &World, object: &Obj, reason: Reason) -> Option<String> {
    let want = object.want;
    let user = world.ram.user;
    let excused = match reason {
        Reason::Available => return as_asked(world, object),
        Reason::Suspended if want.suspended => return as_asked(world, object),
        Reason::LoginTakenOutside => match user.and_then(|user| user.login) {
            Some(profile) => !profile.on && outside(profile.off_by),
            None => outside(world.login_gone),
        },
        // One that a frozen pass made late: nobody can tell it from somebody's copy.
        Reason::Replaced => user.is_some_and(|user| user.late),
        Reason::MfaTakenOutside => user.is_some_and(|user| user.mfa.is_none()) && outside(world.mfa_gone),
        Reason::MfaCodesRefused => {
            world.seed_changed || world.device_deleted || world.ram.device.is_some_and(|device| device.late)
        }
        Reason::SecretConflict => [world.password, world.seed].iter().flatten().any(|secret| !secret.marked),
        Reason::PasswordNotFound => want.secret_ref && world.password.is_none_or(|secret| secret.text.is_none()),
        Reason::Foreign => user.is_some_and(|user| user.mark == Mark::None) && object.status.known.is_none(),
        Reason::AdoptionPending => facts::holds(&object.status),
        _ => false,
    };
    (!excused).then(|| format!("{reason:?}"))
}

/// The end is what the spec asks for.
fn as_asked(world: &World, object: &Obj) -> Option<String> {
    let Some(user) = world.ram.user else { return Some("there is no user".to_owned()) };
    if user.mark != Mark::Ours(object.uid) || object.status.known != Some(user.id) {
        return Some(format!("the user has {:?}", user.mark));
    }
    login_as_asked(world, object, &user).or_else(|| mfa_as_asked(world, object, &user))
}

fn login_as_asked(world: &World, object: &Obj, user: &User) -> Option<String> {
    let (want, login) = (object.want, user.login);
    let wrong = match want.login {
        Login::NotManaged => false,
        Login::Enabled if want.suspended => login.is_some_and(|profile| profile.on),
        Login::Enabled => !login.is_some_and(|profile| profile.on),
        Login::Disabled => login.is_some_and(|profile| profile.on),
        Login::Absent => login.is_some() && !facts::holds(&object.status),
    };
    if wrong {
        return Some(format!("log-on is {login:?}"));
    }
    if want.login != Login::Enabled || want.suspended {
        return None;
    }
    if open(object.reset, object.status.reset.done) {
        return Some("reset-password is not done".to_owned());
    }
    let password = login.map(|profile| profile.password).filter(|password| *password != OWN);
    let text = world.password.and_then(|secret| secret.text).filter(|_| !world.muddled);
    match password.zip(text) {
        Some((password, text)) if password != text => Some(format!("RAM has password {password}, the Secret {text}")),
        _ => None,
    }
}

fn mfa_as_asked(world: &World, object: &Obj, user: &User) -> Option<String> {
    if object.want.suspended {
        return None;
    }
    let device = world.ram.device.filter(|device| !device.late);
    let bound = match (object.want.mfa, user.mfa) {
        (Mfa::NotManaged, _) => return None,
        (Mfa::Absent, has) => {
            let taken = has.is_none() && device.is_none();
            return (!taken && !facts::holds(&object.status)).then(|| "an MFA device is there".to_owned());
        }
        (Mfa::Operator, None) => return Some("no MFA device is bound".to_owned()),
        (Mfa::User, None) => return handed_over(world, object),
        (_, Some(bound)) => bound,
    };
    if bound == Bound::Other && device.is_some() {
        return Some("our device is left beside another one".to_owned());
    }
    if open(object.reset_mfa, object.status.reset_mfa.done) {
        return Some("reset-mfa is not done".to_owned());
    }
    None
}

/// A device that the person is to bind.
fn handed_over(world: &World, object: &Obj) -> Option<String> {
    if !object.status.mfa.is_some_and(|note| note.phase == Phase::Issued) {
        return Some("no device is handed over".to_owned());
    }
    // Nobody asks RAM whether a device is there that nobody has bound.
    if world.ram.device.is_none() && !outside(world.device_gone) {
        return Some("the device that was handed over is not there".to_owned());
    }
    open(object.reset_mfa, object.status.reset_mfa.done).then(|| "reset-mfa is not done".to_owned())
}
