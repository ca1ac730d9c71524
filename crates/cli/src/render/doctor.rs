//! What the doctor found.

use super::{Format, Screen, clean};
use crate::error::CommandError;
use serde::Serialize;
use vnflab_engine::doctor::{Finding, Verdict};

/// All findings.
pub(crate) fn findings(screen: &Screen, findings: &[Finding]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let findings = findings.iter().map(FindingJson::new).collect();
        return screen.json("doctor", DoctorJson { findings });
    }
    let width = findings
        .iter()
        .map(|finding| finding.check.title.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Good => screen.out.good("ok  "),
            Verdict::NotNeeded => screen.out.faint("--  "),
            Verdict::Warning => screen.out.warning("warn"),
            Verdict::Failure => screen.out.error("FAIL"),
        };
        let check = finding.check;
        text.push_str(&format!(
            "{word}  {}  {:<width$}  {}\n",
            check.id,
            check.title,
            clean(&finding.detail)
        ));
        for command in &finding.remedy {
            let arrow = screen.out.note("->");
            text.push_str(&format!(
                "      {:width$}       {arrow} {}\n",
                "",
                clean(command)
            ));
        }
    }
    let bad = findings
        .iter()
        .any(|finding| finding.verdict >= Verdict::Warning);
    screen.write(&text)?;
    if bad {
        screen.say("\n`vnflab explain CODE` tells what a check is for.");
    }
    Ok(())
}

#[derive(Serialize)]
struct DoctorJson<'a> {
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    code: &'static str,
    title: &'static str,
    verdict: &'static str,
    detail: &'a str,
    remedy: &'a [String],
}

impl<'a> FindingJson<'a> {
    fn new(finding: &'a Finding) -> Self {
        Self {
            code: finding.check.id,
            title: finding.check.title,
            verdict: finding.verdict.word(),
            detail: &finding.detail,
            remedy: &finding.remedy,
        }
    }
}
