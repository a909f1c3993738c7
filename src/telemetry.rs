//! Logs.

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::LogFormat;

/// Which events are logged: those of `level`, a level or a filter of tracing-subscriber.
///
/// kube's client logs whole replies that do not parse, and a reply may be a Secret: that target is silent for good.
///
/// # Errors
/// When `level` is neither.
pub fn filter<S>(level: &str) -> Result<impl Filter<S> + Send + Sync + use<S>, String>
where
    S: Subscriber + for<'a> LookupSpan<'a> + 'static,
{
    let filter = EnvFilter::try_new(level).map_err(|error| format!("--log-level: {error}"))?;
    Ok(FilterExt::<S>::and(filter, filter_fn(|metadata| !metadata.target().starts_with("kube_client::client"))))
}

/// Starts logging to stderr.
///
/// # Errors
/// When `level` is no level or filter, or when logging was started before.
pub fn start(format: LogFormat, level: &str) -> Result<(), String> {
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Text => layer.boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter(level)?)).try_init().map_err(|error| error.to_string())
}
