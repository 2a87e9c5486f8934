//! Verification of an export of the audit log, without its database. Not here: the rows that the
//! entries describe, which an export does not have.

use std::io::{self, BufRead, Read};

use crate::domain::audit::chain::{Anchors, ChainFault, ChainVerifier};
use crate::domain::audit::entry::AuditEntry;
use crate::domain::ids::OrgId;

use super::export_format::{EndLine, Line};
use super::verify::{Fault, Summary};

/// Maximum length of a line, in bytes. Far more than the longest written line, whose payload has a
/// few thousand characters, twice.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// Fault of an export.
#[derive(Debug, thiserror::Error)]
enum FileFault {
    /// Fault of a chain in the export.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    #[error("the log has no last line in the export")]
    NoHead,
    #[error("the log is out of order, or occurs twice in the export")]
    OutOfOrder,
    #[error("the line is incomplete, or longer than {MAX_LINE_BYTES} bytes")]
    CutOffLine,
    #[error("the export is incomplete: its last line is missing")]
    NoEnd,
    #[error("the export has {} logs with {} entries, its last line says {} with {}",
        .found.organizations, .found.entries, .expected.organizations, .expected.entries)]
    WrongEnd {
        /// Totals in the last line.
        expected: EndLine,
        /// Totals of the lines before.
        found: EndLine,
    },
    #[error("the export continues after its last line")]
    AfterEnd,
}

/// Verifies that an export is complete, that its logs are intact, and that the logs contain all of
/// `anchors`. Reports the first fault of each log. An unreadable line belongs to the log around it.
///
/// # Errors
/// Only errors of `file`. Unreadable content is a fault.
pub fn verify_file(mut file: impl BufRead, anchors: Anchors) -> io::Result<Summary> {
    let mut verifier = FileVerifier::new(anchors);
    let mut text = Vec::new();
    loop {
        text.clear();
        // Bounded, so that a file without line feeds does not fill the memory.
        let length = (&mut file)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut text)?;
        if length == 0 {
            return Ok(verifier.finish());
        }
        verifier.line += 1;
        match text.strip_suffix(b"\n") {
            Some(text) => verifier.take(text),
            None => {
                // The rest is not read, because the start of the next line is unknown.
                verifier.add_fault(FileFault::CutOffLine);
                return Ok(verifier.finish());
            }
        }
    }
}

/// Verifier of an export, line by line.
struct FileVerifier {
    summary: Summary,
    anchors: Anchors,
    /// Number of the current line, counted from 1.
    line: u64,
    /// Log of the current line. `None` between logs.
    log: Option<OpenLog>,
    /// Last complete log. Logs are sorted by id.
    last: Option<OrgId>,
    found: EndLine,
    has_ended: bool,
}

/// Log whose last line was not read yet.
struct OpenLog {
    /// `None` while all lines of the log were unreadable.
    org_id: Option<OrgId>,
    chain: ChainVerifier,
    /// First fault and its line.
    fault: Option<(u64, FileFault)>,
}

impl FileVerifier {
    fn new(anchors: Anchors) -> Self {
        Self {
            summary: Summary::default(),
            anchors,
            line: 0,
            log: None,
            last: None,
            found: EndLine::default(),
            has_ended: false,
        }
    }

    fn take(&mut self, text: &[u8]) {
        if let Err(reason) = self.take_line(text) {
            self.add_fault(ChainFault::Unreadable(reason).into());
        }
    }

    /// Verifies a line. The error is the reason why the line is unreadable.
    fn take_line(&mut self, text: &[u8]) -> Result<(), String> {
        let line = serde_json::from_slice(text).map_err(|error| without_position(&error))?;
        if self.has_ended {
            self.add_fault(FileFault::AfterEnd);
            return Ok(());
        }
        match line {
            Line::Entry(line) => {
                let entry = AuditEntry::try_from(*line)?;
                self.found.entries += 1;
                self.check(entry.org_id, |chain| chain.follow(&entry));
            }
            Line::Head(line) => {
                let (org_id, head) = line.parse()?;
                self.found.organizations += 1;
                self.check(org_id, |chain| chain.finish(&head));
                self.close();
            }
            Line::Unreadable(line) => {
                let org_id = line.org_id()?;
                self.found.organizations += 1;
                self.check(org_id, |_chain| Err(ChainFault::Unreadable(line.reason)));
                self.close();
            }
            Line::End(expected) => self.end(expected),
        }
        Ok(())
    }

    /// Checks a line of a log. The first line of a log also closes a preceding log without an end.
    fn check(
        &mut self,
        org_id: OrgId,
        check: impl FnOnce(&mut ChainVerifier) -> Result<(), ChainFault>,
    ) {
        let line = self.line;
        let log = self.open(org_id);
        // Only the first fault of a log counts, because others often follow from it.
        if log.fault.is_none() {
            log.fault = check(&mut log.chain)
                .err()
                .map(|fault| (line, fault.into()));
        }
    }

    fn open(&mut self, org_id: OrgId) -> &mut OpenLog {
        let is_open = |log: &OpenLog| log.org_id.as_ref() == Some(&org_id);
        if !self.log.as_ref().is_some_and(is_open) {
            self.close_without_head();
            // Logs are sorted, so that a second part of a log cannot hide behind other logs.
            let is_in_order = self.last.as_ref().is_none_or(|last| *last < org_id);
            let fault = (!is_in_order).then_some((self.line, FileFault::OutOfOrder));
            let anchors = self.anchors.take(&org_id);
            if anchors.is_empty() {
                self.summary.unanchored.push(org_id);
            }
            self.log = Some(OpenLog {
                chain: ChainVerifier::new(anchors),
                org_id: Some(org_id),
                fault,
            });
        }
        self.log.get_or_insert_with(OpenLog::unknown)
    }

    fn add_fault(&mut self, fault: FileFault) {
        let log = self.log.get_or_insert_with(OpenLog::unknown);
        log.fault.get_or_insert((self.line, fault));
    }

    fn close_without_head(&mut self) {
        if let Some(log) = &mut self.log {
            log.fault.get_or_insert((self.line, FileFault::NoHead));
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(log) = self.log.take() else { return };
        let intact_entries = log.chain.head().length;
        self.summary.entries += intact_entries;
        self.summary.organizations += usize::from(log.org_id.is_some());
        self.summary
            .faults
            .extend(log.fault.map(|(line, fault)| Fault {
                org_id: log.org_id,
                line: Some(line),
                intact_entries,
                text: fault.to_string(),
                state: None,
            }));
        // The maximum, because a log that is out of order or without an id must not lower it.
        self.last = self.last.take().max(log.org_id);
    }

    fn end(&mut self, expected: EndLine) {
        self.close_without_head();
        self.has_ended = true;
        if expected != self.found {
            let found = self.found.clone();
            // Closed at once, because this fault belongs to no log.
            self.add_fault(FileFault::WrongEnd { expected, found });
            self.close();
        }
    }

    fn finish(mut self) -> Summary {
        if !self.has_ended {
            self.close_without_head();
            self.add_fault(FileFault::NoEnd);
        }
        self.close();
        self.summary.add_vanished(self.anchors);
        self.summary
    }
}

impl OpenLog {
    fn unknown() -> Self {
        Self {
            org_id: None,
            chain: ChainVerifier::default(),
            fault: None,
        }
    }
}

/// Removes the position from a message of serde_json, which counts lines within this one line.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}
