//! Writes log events to stderr, as text or as JSON: one event is always exactly one line.
//!
//! env_logger filters and formats. A background thread writes the lines in batches, so that a busy
//! server makes a few hundred system calls a second for its log, not one per line. Not here: the
//! choice of what is logged. Callers must not log tokens or secrets, because nothing is masked.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use env_logger::Target;
use log::{Level, Record};

/// Lines that may wait to be written. When the queue is full, lines are dropped and counted: no
/// request waits for the reader of stderr.
const QUEUE_LINES: usize = 4096;

/// Bytes that are written at once at most, unless a single line is longer.
const BATCH_BYTES: usize = 64 * 1024;

/// Pause of the writer after a batch. Lines gather in the meantime without waking a thread.
const GATHER: Duration = Duration::from_millis(5);

/// Longest wait of a flush. Without it, a process whose stderr is not read would never end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause between two checks of a flush.
const FLUSH_POLL: Duration = Duration::from_millis(1);

/// Progress of the process's log.
static PROGRESS: OnceLock<Arc<Progress>> = OnceLock::new();

/// Appearance of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-21T19:47:47.123Z INFO  quietline::http: message`
    #[default]
    Text,
    /// An object with the texts `ts`, `level`, `target` and `message`, in this order.
    Json,
}

/// Starts logging for the whole process. Keep the guard until the end of `main`.
///
/// `filter` has env_logger's syntax, for example `info,quietline::db=debug`.
///
/// # Errors
///
/// A logger is installed already.
pub fn init(filter: &str, format: LogFormat) -> io::Result<LogGuard> {
    let (progress, pipe) = start_queue(io::stderr(), format)?;
    builder(filter, format, pipe)
        .try_init()
        .map_err(io::Error::other)?;
    PROGRESS.get_or_init(|| progress);
    Ok(LogGuard(()))
}

/// Waits until every queued line is written, at most two seconds.
///
/// For a panic hook, and before `std::process::exit`, which drops no guard.
pub fn flush() {
    if let Some(progress) = PROGRESS.get() {
        progress.flush();
    }
}

/// Writes the queued lines when it is dropped.
#[derive(Debug)]
#[must_use = "a guard dropped at once does not flush at the end of the process"]
pub struct LogGuard(());

impl Drop for LogGuard {
    fn drop(&mut self) {
        flush();
    }
}

fn builder(filter: &str, format: LogFormat, pipe: Pipe) -> env_logger::Builder {
    let mut builder = env_logger::Builder::new();
    builder
        .parse_filters(filter)
        .target(Target::Pipe(Box::new(pipe)))
        // The wall clock, not the product's: an event is logged when it happens.
        .format(move |out, record| write_event(out, format, SystemTime::now(), record));
    builder
}

/// Numbers of lines.
#[derive(Default)]
struct Progress {
    queued: AtomicU64,
    written: AtomicU64,
    /// Lines that found the queue full, until they are reported.
    dropped: AtomicU64,
}

impl Progress {
    /// Waits until every line queued so far is written, or the timeout.
    fn flush(&self) {
        let queued = self.queued.load(Ordering::SeqCst);
        let end = Instant::now() + FLUSH_TIMEOUT;
        while self.written.load(Ordering::SeqCst) < queued && Instant::now() < end {
            thread::sleep(FLUSH_POLL);
        }
    }
}

/// Starts the thread that writes queued lines into `output`. Returns the pipe that queues them.
fn start_queue(
    output: impl Write + Send + 'static,
    format: LogFormat,
) -> io::Result<(Arc<Progress>, Pipe)> {
    let progress = Arc::new(Progress::default());
    let (sender, lines) = mpsc::sync_channel(QUEUE_LINES);
    let writer = Writer {
        output,
        format,
        lines,
        progress: Arc::clone(&progress),
    };
    thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(|| writer.run())?;
    let pipe = Pipe {
        lines: sender,
        progress: Arc::clone(&progress),
    };
    Ok((progress, pipe))
}

/// Sending end of the queue. Logging threads write whole lines into it.
struct Pipe {
    lines: SyncSender<Vec<u8>>,
    progress: Arc<Progress>,
}

impl Write for Pipe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Before the line is sent, so that a flush waits for it.
        self.progress.queued.fetch_add(1, Ordering::SeqCst);
        if self.lines.try_send(line.to_vec()).is_err() {
            self.progress.written.fetch_add(1, Ordering::SeqCst);
            self.progress.dropped.fetch_add(1, Ordering::SeqCst);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Receiving end of the queue.
struct Writer<W> {
    output: W,
    format: LogFormat,
    lines: Receiver<Vec<u8>>,
    progress: Arc<Progress>,
}

impl<W: Write> Writer<W> {
    /// Writes lines until the sending end is dropped.
    fn run(mut self) {
        let mut batch = Vec::new();
        while let Ok(line) = self.lines.recv() {
            batch.extend(line);
            let mut lines = 1;
            while batch.len() < BATCH_BYTES
                && let Ok(line) = self.lines.try_recv()
            {
                batch.extend(line);
                lines += 1;
            }
            let is_full = batch.len() >= BATCH_BYTES;
            self.write(&mut batch);
            self.report_dropped(&mut batch);
            self.progress.written.fetch_add(lines, Ordering::SeqCst);
            if !is_full {
                thread::sleep(GATHER);
            }
        }
    }

    /// Writes and empties `batch`.
    fn write(&mut self, batch: &mut Vec<u8>) {
        // The server must survive a closed stderr, and the error cannot be reported elsewhere.
        self.output.write_all(batch).unwrap_or_default();
        batch.clear();
    }

    /// Writes how many lines were dropped since the last report.
    fn report_dropped(&mut self, batch: &mut Vec<u8>) {
        let dropped = self.progress.dropped.swap(0, Ordering::SeqCst);
        if dropped == 0 {
            return;
        }
        let mut record = Record::builder();
        record.level(Level::Warn).target(module_path!());
        let args = format_args!("dropped {dropped} lines, because stderr was not read in time");
        let record = record.args(args).build();
        write_event(batch, self.format, SystemTime::now(), &record).unwrap_or_default();
        self.write(batch);
    }
}

fn write_event(
    out: &mut impl Write,
    format: LogFormat,
    time: SystemTime,
    record: &Record<'_>,
) -> io::Result<()> {
    let time = humantime::format_rfc3339_millis(time);
    let level = record.level();
    match format {
        LogFormat::Text => write!(out, "{time} {level:<5} ")?,
        LogFormat::Json => write!(out, r#"{{"ts":"{time}","level":"{level}","target":""#)?,
    }
    let (separator, end) = match format {
        LogFormat::Text => (": ", "\n"),
        LogFormat::Json => (r#"","message":""#, "\"}\n"),
    };
    write_escaped(out, format, format_args!("{}", record.target()))?;
    out.write_all(separator.as_bytes())?;
    write_escaped(out, format, *record.args())?;
    out.write_all(end.as_bytes())
}

fn write_escaped(
    out: &mut impl Write,
    format: LogFormat,
    text: fmt::Arguments<'_>,
) -> io::Result<()> {
    Escaped { out, format }
        .write_fmt(text)
        .map_err(io::Error::other)
}

/// Passes text on, and escapes everything that could end or disguise a line.
struct Escaped<'a, W> {
    out: &'a mut W,
    format: LogFormat,
}

impl<W: Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_runs(text).or(Err(fmt::Error))
    }
}

impl<W: Write> Escaped<'_, W> {
    fn write_runs(&mut self, text: &str) -> io::Result<()> {
        let format = self.format;
        // Nearly every line is plain, and bytes are checked faster than characters.
        if text.bytes().all(|byte| is_plain_ascii(format, byte)) {
            return self.out.write_all(text.as_bytes());
        }
        let mut plain_from = 0;
        for (at, character) in text.match_indices(|c| must_be_escaped(format, c)) {
            self.out.write_all(&text.as_bytes()[plain_from..at])?;
            plain_from = at + character.len();
            for character in character.chars() {
                self.write_escape(character)?;
            }
        }
        self.out.write_all(&text.as_bytes()[plain_from..])
    }

    /// Writes four digits, since all escaped characters are below U+10000 (RFC 8259 §7).
    fn write_escape(&mut self, character: char) -> io::Result<()> {
        match character {
            '\n' => self.out.write_all(b"\\n"),
            '\r' => self.out.write_all(b"\\r"),
            '\t' => self.out.write_all(b"\\t"),
            '"' => self.out.write_all(b"\\\""),
            '\\' => self.out.write_all(b"\\\\"),
            other => write!(self.out, "\\u{:04x}", u32::from(other)),
        }
    }
}

/// Returns whether a byte is a whole character that is not escaped.
fn is_plain_ascii(format: LogFormat, byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && (format == LogFormat::Text || !matches!(byte, b'"' | b'\\'))
}

/// Returns whether a character is a control character, a Unicode line separator or a mark that
/// reorders displayed text (<https://trojansource.codes/>), and in JSON also a quote or backslash.
/// Text keeps backslashes as they are, to stay readable.
fn must_be_escaped(format: LogFormat, character: char) -> bool {
    match character {
        '"' | '\\' => format == LogFormat::Json,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests;
