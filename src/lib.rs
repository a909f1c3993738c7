//! ram-operator: RAM users and AccessKey pairs of Alibaba Cloud, declared in Kubernetes.
//!
//! ```text
//!   kubectl apply          watches (metadata only)
//!  ┌───────────────┐  events  ┌────────────────────── controller ───────────────────────┐
//!  │ RamAccount    │ ───────► │ GET, lock of the RAM user                               │
//!  │ RamTenant     │          │ observe ─► plan::next ─► Do(step): act, observe again   │ ──► ram ──► RAM, IMS, STS
//!  │ RamUser       │ ◄─────── │                      └─► Rest(verdict): status, event   │
//!  │ RamAccessKey  │  status  └──────────────────────────┬──────────────────────────────┘
//!  │ RamPolicy ... │                                     ▼ Secret, by compare-and-swap
//!  └───────────────┘
//! ```
//!
//! * [`api`]: the kinds and their schema rules; nothing else.
//! * [`ram`]: a RAM client that knows no Kubernetes.
//! * [`plan`]: pure decisions; what to do next, given what is asked for and what was seen.
//! * [`controller`]: the only place where both worlds meet.
//! * [`run`]: puts it all together; [`config`], [`server`], [`metrics`], [`telemetry`], [`lease`], [`clock`], [`digest`] are its parts.
//! * [`import`]: prints manifests of what is in RAM already; reads only.
//! * [`least_policy`]: what the operator itself needs in RAM.

pub mod api;
pub mod clock;
pub mod config;
pub mod controller;
pub mod digest;
pub mod import;
pub mod lease;
pub mod least_policy;
pub mod metrics;
pub mod plan;
pub mod ram;
pub mod run;
pub mod server;
pub mod telemetry;
