//! Where the programs of the control plane come from: a folder that the person names, a cache, or their source.
//!
//! A kubeconfig of the person's own is never used instead: it may point at production.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::process::Process;
use super::{Error, Progress};

/// Pins every program and everything each is made of.
const GO_MOD: &str = include_str!("control-plane/go.mod");
const GO_SUM: &str = include_str!("control-plane/go.sum");

/// The programs, by file name.
pub(super) const NAMES: [&str; 5] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"];

/// How often a wait that takes long says so.
const SAY_EVERY: Duration = Duration::from_secs(15);

/// The programs of the control plane and its two clients.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The store of the API server.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// Garbage collection, namespace deletion, service accounts, Deployments.
    pub kube_controller_manager: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
    /// Installs the chart.
    pub helm: PathBuf,
}

impl Binaries {
    /// The programs in this folder, or the names of those that it lacks.
    fn in_folder(folder: &Path) -> Result<Self, String> {
        let missing: Vec<&str> = NAMES.into_iter().filter(|name| !folder.join(name).is_file()).collect();
        if !missing.is_empty() {
            return Err(missing.join(", "));
        }
        Ok(Self {
            etcd: folder.join("etcd"),
            kube_apiserver: folder.join("kube-apiserver"),
            kube_controller_manager: folder.join("kube-controller-manager"),
            kubectl: folder.join("kubectl"),
            helm: folder.join("helm"),
        })
    }
}

/// Finds the programs, or builds them from source: the first time only, in about ten minutes on two cores.
///
/// Blocks. Runs that ask at the same time, also of other checkouts, build once.
pub fn binaries(progress: Progress<'_>) -> Result<Binaries, Error> {
    if let Some(folder) = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()) {
        match Binaries::in_folder(Path::new(&folder)) {
            Ok(found) => return Ok(found),
            Err(missing) => {
                progress(&format!("KUBEBUILDER_ASSETS has no {missing}: using the cache of ram-operator instead"))
            }
        }
    }
    let cache = cache_folder()?;
    let key = key();
    let kept = cache.join(&key);
    if let Ok(found) = Binaries::in_folder(&kept) {
        return Ok(found);
    }
    fs::create_dir_all(&cache).map_err(Error::io("cannot create", &cache))?;
    let _lock = lock(&cache.join(format!("{key}.lock")), progress)?;
    // Whoever had the lock before us may have built them.
    if Binaries::in_folder(&kept).is_err() {
        build(&cache.join(format!("{key}.partial")), &kept, progress)?;
    }
    Binaries::in_folder(&kept).map_err(|missing| {
        Error::NoBinaries(format!("{} has no {missing}; remove that folder to build it again", kept.display()))
    })
}

/// One folder for all checkouts of a person.
fn cache_folder() -> Result<PathBuf, Error> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("ram-operator").join("control-plane"))
        .ok_or_else(|| Error::NoBinaries("neither XDG_CACHE_HOME nor HOME says where to keep one".to_owned()))
}

/// Names what is built, from what, and for which machine.
fn key() -> String {
    let mut hash = Sha256::new();
    for part in [GO_MOD, GO_SUM, &linker_flags(), env::consts::OS, env::consts::ARCH] {
        hash.update(part.as_bytes());
        hash.update([0_u8]);
    }
    let head = hash.finalize().iter().take(8).fold(0_u64, |head, byte| (head << 8) | u64::from(*byte));
    format!("{head:016x}")
}

/// Sets the version that the programs tell. Without it the server is `v0.0.0-master`, which kubectl and helm cannot parse.
fn linker_flags() -> String {
    let version = GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v")?.split_whitespace().next())
        .unwrap_or_default();
    let mut numbers = version.split('.');
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    let variable = "-X k8s.io/component-base/version.git";
    format!("-s -w {variable}Version=v{version} {variable}Major={major} {variable}Minor={minor}")
}

/// Waits for the lock on `path`; the operating system takes it back when this process ends.
fn lock(path: &Path, progress: Progress<'_>) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::io("cannot create", path))?;
    wait("another run builds the control plane: waiting for it", progress, || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(Error::io("cannot lock", path)(source)),
    })?;
    Ok(file)
}

/// Builds the programs in the folder `work`, which is ours alone, and moves them to `kept` when all are complete.
fn build(work: &Path, kept: &Path, progress: Progress<'_>) -> Result<(), Error> {
    let go_found = Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !go_found.is_ok_and(|status| status.success()) {
        return Err(Error::NoBinaries("nothing is cached yet, and `go version` does not run".to_owned()));
    }
    for leftover in [work, kept] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).map_err(Error::io("cannot remove", leftover))?;
        }
    }
    let module = work.join("module");
    let built = work.join("built");
    for folder in [&module, &built] {
        fs::create_dir_all(folder).map_err(Error::io("cannot create", folder))?;
    }
    for (name, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
        let path = module.join(name);
        fs::write(&path, text).map_err(Error::io("cannot write", &path))?;
    }

    let go = Process::start("go build", work, &go_build(&module, &built))?;
    let what = format!("building {} from source: first time only, about ten minutes on two cores", NAMES.join(", "));
    let status = wait(&what, progress, || Ok(go.exit_status()))?;
    if status != 0 {
        return Err(Error::Build { status, log: go.log_tail() });
    }
    // etcd's main package is called `server`.
    fs::rename(built.join("server"), built.join("etcd")).map_err(Error::io("cannot rename etcd in", &built))?;
    fs::rename(&built, kept).map_err(Error::io("cannot move what was built to", kept))
}

/// Builds all `tool` lines of the module, for this machine, whatever the person's Go is set to.
fn go_build(module: &Path, built: &Path) -> Command {
    let mut go = Command::new("go");
    go.args(["build", "-C"])
        .arg(module)
        .args(["-trimpath", "-ldflags", &linker_flags(), "-o"])
        .arg(built)
        .arg("tool")
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=readonly")
        .env_remove("GOOS")
        .env_remove("GOARCH");
    go
}

/// Asks `done` five times a second, and says every fifteen seconds how long that takes.
fn wait<T>(what: &str, progress: Progress<'_>, mut done: impl FnMut() -> Result<Option<T>, Error>) -> Result<T, Error> {
    let began = Instant::now();
    let mut next = Duration::ZERO;
    loop {
        if let Some(value) = done()? {
            return Ok(value);
        }
        let elapsed = began.elapsed();
        if elapsed >= next {
            let seconds = elapsed.as_secs();
            progress(&format!("{what}; {}m{:02}s so far", seconds / 60, seconds % 60));
            next += SAY_EVERY;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
