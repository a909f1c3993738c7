//! The secrets oracle: no secret outside its Secret, in any spelling.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ram_operator::telemetry;
use tracing_subscriber::Layer as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

static LOG: Mutex<Heard> = Mutex::new(Heard { forgotten: 0, kept: Vec::new(), marks: BTreeMap::new() });

/// What is forgotten at a time: to move what is kept costs something.
const MUCH: usize = 16 * 1024 * 1024;

/// What was logged, from the oldest mark on.
struct Heard {
    /// Bytes that nobody looks at any more.
    forgotten: usize,
    kept: Vec<u8>,
    /// Places from which somebody will look, and how many do.
    marks: BTreeMap<usize, usize>,
}

impl Heard {
    fn length(&self) -> usize {
        self.forgotten + self.kept.len()
    }

    /// Long proofs log more than a machine can hold.
    fn forget(&mut self) {
        let oldest = self.marks.keys().next().copied().unwrap_or_else(|| self.length());
        let old = oldest - self.forgotten;
        if old > MUCH {
            self.kept.drain(..old);
            self.forgotten = oldest;
        }
    }
}

/// A place in the log from which somebody will look.
pub struct Mark(usize);

impl Mark {
    /// The end of the log as it is now.
    pub fn here() -> Self {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        let place = log.length();
        *log.marks.entry(place).or_default() += 1;
        Self(place)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = log.marks.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                log.marks.remove(&self.0);
            }
        }
        log.forget();
    }
}

/// How the secrets begin that the emulator mints.
const BEGINNING: &str = "s3cr3t";

/// Everything that was logged, at the level `trace`, by every operator of this process.
#[derive(Clone, Copy)]
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        *self
    }
}

/// Starts to listen, once. `LOG=info cargo test` shows the operators' logs as well.
pub fn listen() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let filter =
            telemetry::filter("debug,ram_operator=trace,hyper=info,h2=info,tower=info,rustls=info").expect("a filter");
        let heard = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Log).with_filter(filter);
        let shown = std::env::var("LOG").ok().map(|level| {
            let filter = telemetry::filter(&format!("{level},hyper=info,tower=info,kube=info")).expect("a filter");
            tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(filter)
        });
        tracing_subscriber::registry().with(heard).with(shown).init();
    });
}

/// Fails if a secret stands in `text`, plain, percent-encoded or in Base64.
pub fn examine(place: &str, text: &str, secrets: &[String]) {
    // Most secrets of the emulator begin alike: where no spelling of that beginning stands, none of them does.
    let alike = spellings(BEGINNING, 4).iter().any(|spelling| text.contains(spelling));
    for secret in secrets.iter().filter(|secret| alike || !secret.starts_with(BEGINNING)) {
        for spelling in spellings(secret, 8) {
            assert!(!text.contains(&spelling), "a secret leaked into {place}");
        }
    }
}

/// Fails if a secret stands in anything that was logged since `from`, which is from before the secrets were made: what all tests log
/// together is long, and all of them look.
pub fn examine_log(from: &Mark, secrets: &[String]) {
    let log = {
        let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.kept.get(from.0 - log.forgotten..).unwrap_or_default().to_vec()
    };
    examine("the log", &String::from_utf8_lossy(&log), secrets);
}

fn spellings(secret: &str, least: usize) -> Vec<String> {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let once = encode(secret);
    let mut all = vec![secret.to_owned(), encode(&once), once];
    // In Base64 of a longer text the secret begins at one of three offsets; the ends depend on what surrounds it.
    for offset in 0..3 {
        let encoded = BASE64_STANDARD.encode(format!("{}{secret}", "x".repeat(offset)));
        // The first characters depend on what stands before, the last ones on what follows.
        let begin = [0, 2, 3][offset];
        let end = (offset + secret.len()) * 8 / 6;
        let inner = encoded.get(begin..end).unwrap_or_default();
        all.push(inner.to_owned());
    }
    all.retain(|spelling| spelling.len() >= least);
    all
}

#[test]
fn every_spelling_is_found() {
    let secret = "s3cr3tABCDEFGHIJKLMNOPQRSTUVWX".to_owned();
    for text in [
        format!("x {secret} y"),
        format!("data: {}", BASE64_STANDARD.encode(format!("a{secret}b"))),
        format!("data: {}", BASE64_STANDARD.encode(format!("ab{secret}"))),
        format!("data: {}", BASE64_STANDARD.encode(&secret)),
    ] {
        let found = std::panic::catch_unwind(|| examine("a test", &text, std::slice::from_ref(&secret)));
        assert!(found.is_err(), "{text}");
    }
    examine("a test", "nothing here", &[secret]);
}
