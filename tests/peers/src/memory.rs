//! How much memory this process holds.

use std::fs;

use anyhow::Context;

/// Resident memory of this process in MiB.
pub(crate) fn resident_mib() -> anyhow::Result<f64> {
    Ok(resident_kib()? / 1_024.0)
}

/// Resident memory of this process in KiB.
pub(crate) fn resident_kib() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .context("the system does not say how much memory a process holds")?
        .parse()?;
    Ok(kib)
}
