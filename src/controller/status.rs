//! From a verdict to conditions: pure, and the one place that writes a status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::PostParams;

use super::drive::{Ctx, Kind, ObjectKey};
use super::error::Error;
use crate::api::Status;
use crate::plan::Verdict;
use crate::plan::reason::Readiness;

/// `Ready` and what goes with it, from the verdict.
#[must_use]
pub fn conditions(
    previous: &[Condition],
    verdict: &Verdict,
    paused: bool,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let readiness = verdict.reason.readiness();
    let ready = truth(readiness);
    let (reason, message) = (verdict.reason.name(), verdict.message());
    let mut all = vec![condition(previous, "Ready", ready, reason, message.clone(), generation, now)];
    if readiness == Readiness::Stalled {
        all.push(condition(previous, "Stalled", "True", reason, message, generation, now));
    }
    if paused {
        let message =
            "Grants and repairs are stopped by annotation. Remove ram-operator.dev/paused to go on.".to_owned();
        all.push(condition(previous, "Paused", "True", "Paused", message, generation, now));
    }
    if let Some(drift) = &verdict.drift {
        let message = format!(
            "RAM differs, which is left alone: {drift}. Remove the difference in RAM, or put it into the spec."
        );
        all.push(condition(previous, "DriftFound", "True", "DriftFound", message, generation, now));
    }
    all
}

/// The status of a condition whose reason says this.
#[must_use]
pub const fn truth(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Yes => "True",
        Readiness::No | Readiness::Stalled => "False",
        Readiness::Unknown => "Unknown",
    }
}

/// One more condition, keeping the time of an earlier one of the same status.
#[must_use]
pub fn condition(
    previous: &[Condition],
    type_: &str,
    status: &str,
    reason: &str,
    message: String,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    // The API carries whole seconds; anything finer would differ from what is stored for ever.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    // The schema's default condition has no real time.
    let kept =
        previous.iter().find(|c| c.type_ == type_ && c.status == status && c.last_transition_time.0.as_second() > 0);
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: kept.map_or(Time(now), |c| c.last_transition_time.clone()),
    }
}

/// Writes `status` whole, by compare-and-swap, if it differs from the stored one. `object` becomes what the server stores.
pub async fn write<K: Kind>(ctx: &Ctx, key: &ObjectKey, object: &mut K, status: K::Status) -> Result<bool, Error> {
    if object.status() == Some(&status) {
        return Ok(false);
    }
    let mut wanted = object.clone();
    *wanted.status_mut() = Some(status);
    wanted.meta_mut().managed_fields = None;
    let api = K::api(ctx.kube.clone(), key.namespace());
    match api.replace_status(&key.name, &PostParams::default(), &wanted).await {
        Ok(stored) => {
            ctx.echoes.wrote(key, stored.meta().resource_version.as_deref());
            *object = stored;
            Ok(true)
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Err(Error::Gone),
        Err(error) => Err(error.into()),
    }
}

/// The condition of a type, if it is there.
#[must_use]
pub fn find<'a, S: Status>(status: Option<&'a S>, type_: &str) -> Option<&'a Condition> {
    status.and_then(|status| status.conditions().iter().find(|c| c.type_ == type_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Reason;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn the_time_moves_only_when_the_status_flips() {
        let first = conditions(&[], &Verdict::new(Reason::UserNotFound), false, Some(1), at(100));
        let second = conditions(&first, &Verdict::new(Reason::UserNotReady), false, Some(2), at(200));
        assert_eq!(second.first().map(|c| c.last_transition_time.0), Some(at(100)));
        let third = conditions(&second, &Verdict::new(Reason::Available), false, Some(2), at(300));
        assert_eq!(third.first().map(|c| c.last_transition_time.0), Some(at(300)));
    }

    #[test]
    fn what_only_a_person_can_change_is_stalled() {
        let types = |reason, paused| {
            let all = conditions(&[], &Verdict::new(reason), paused, None, at(1));
            all.into_iter().map(|c| (c.type_, c.status)).collect::<Vec<_>>()
        };
        let pair = |t: &str, s: &str| (t.to_owned(), s.to_owned());
        assert_eq!(types(Reason::Foreign, false), [pair("Ready", "False"), pair("Stalled", "True")]);
        assert_eq!(types(Reason::Available, true), [pair("Ready", "True"), pair("Paused", "True")]);
        assert_eq!(types(Reason::Unsettled, false), [pair("Ready", "Unknown")]);
    }

    #[test]
    fn every_message_says_what_to_do() {
        for reason in Reason::ALL {
            let message = Verdict::new(*reason).about("x").message();
            assert!(message.ends_with('.') && reason.advice().len() > 4, "{message}");
            assert!(!reason.meaning().ends_with('.'), "{message}");
        }
    }
}
