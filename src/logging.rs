//! Writes log events to stderr, as text or as JSON: one event is always exactly one line.
//!
//! Logging threads only queue their lines; one background thread writes them in batches, so that
//! a busy server makes a few hundred system calls a second for its log, not one per line.
//! Not here: what is logged. Nothing is masked; callers must not log tokens or secrets.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use log::{Log, Metadata, Record};

/// When so many bytes wait to be written, a logging thread waits too: no line is lost, and a
/// reader of stderr that stalls also stalls the server, as it would without a queue.
const QUEUE_BYTES: usize = 1024 * 1024;

/// Room for a usual line.
const LINE_BYTES: usize = 320;

/// How long the writer rests after a batch. Lines gather, and queueing one wakes nobody.
const GATHER: Duration = Duration::from_millis(5);

/// How long a flush waits when nobody reads stderr.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// What a line of the log looks like.
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
/// The background thread cannot be started, or a logger is installed already.
pub fn init(filter: &str, format: LogFormat) -> io::Result<LogGuard> {
    let queue = start_writer(io::stderr())?;
    let logger = build_logger(filter, format, queue);
    let level = logger.inner.filter();
    log::set_boxed_logger(Box::new(logger)).map_err(io::Error::other)?;
    log::set_max_level(level);
    Ok(LogGuard(()))
}

/// Waits until every line logged so far is written, at most two seconds.
///
/// For a panic hook, and before `std::process::exit`, which drops no guard.
pub fn flush() {
    log::logger().flush();
}

/// Writes what is still queued when it is dropped.
#[derive(Debug)]
#[must_use = "a guard dropped at once does not flush at the end of the process"]
pub struct LogGuard(());

impl Drop for LogGuard {
    fn drop(&mut self) {
        flush();
    }
}

/// env_logger decides what is logged. Its own way to a writer takes a lock more for each line, and
/// has no `flush` that does something.
struct QueueLogger {
    inner: env_logger::Logger,
    format: LogFormat,
    queue: Arc<Queue>,
}

fn build_logger(filter: &str, format: LogFormat, queue: Arc<Queue>) -> QueueLogger {
    let inner = env_logger::Builder::new().parse_filters(filter).build();
    QueueLogger {
        inner,
        format,
        queue,
    }
}

impl Log for QueueLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.inner.matches(record) {
            return;
        }
        let mut line = Vec::with_capacity(LINE_BYTES);
        // The wall clock, not the product's: an event is logged when it happens.
        let written = write_event(&mut line, self.format, SystemTime::now(), record);
        // It fails for a message that cannot be shown, which is nobody's fault here.
        if written.is_ok() {
            self.queue.push(&line);
        }
    }

    fn flush(&self) {
        self.queue.wait_until_written();
    }
}

/// The lines on their way from the logging threads to the writer.
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    /// Lines came while the writer was idle.
    has_lines: Condvar,
    /// The writer has taken or written a batch.
    has_progress: Condvar,
}

#[derive(Default)]
struct QueueState {
    lines: Vec<u8>,
    is_idle: bool,
    /// Bytes of all lines ever queued, and how many of them are written.
    queued: u64,
    written: u64,
}

impl Queue {
    /// A panic elsewhere cannot leave the state half changed, so poisoning means nothing here.
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let is_full = |state: &mut QueueState| state.lines.len() >= QUEUE_BYTES;
        let mut state = self
            .has_progress
            .wait_while(self.lock(), is_full)
            .unwrap_or_else(PoisonError::into_inner);
        state.lines.extend_from_slice(line);
        state.queued += line.len() as u64;
        if state.is_idle {
            state.is_idle = false;
            self.has_lines.notify_one();
        }
    }

    fn wait_until_written(&self) {
        let state = self.lock();
        let queued = state.queued;
        let is_pending = |state: &mut QueueState| state.written < queued;
        // After the timeout nothing better can be done than to go on.
        drop(
            self.has_progress
                .wait_timeout_while(state, FLUSH_TIMEOUT, is_pending),
        );
    }

    /// Rests, waits for lines and swaps them with `batch`, which is empty.
    fn take(&self, batch: &mut Vec<u8>) {
        let is_empty = |state: &mut QueueState| {
            state.is_idle = state.lines.is_empty();
            state.is_idle
        };
        // Before it looks: a busy server has lines by then, and never has to wake it.
        thread::sleep(GATHER);
        let mut state = self
            .has_lines
            .wait_while(self.lock(), is_empty)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.lines, batch);
        self.has_progress.notify_all();
    }

    fn mark_written(&self, batch: &[u8]) {
        self.lock().written += batch.len() as u64;
        self.has_progress.notify_all();
    }
}

/// Starts the thread that writes all queued lines into `output` until the process ends.
fn start_writer(mut output: impl Write + Send + 'static) -> io::Result<Arc<Queue>> {
    let queue = Arc::new(Queue::default());
    let lines = Arc::clone(&queue);
    let work = move || {
        let mut batch = Vec::new();
        loop {
            lines.take(&mut batch);
            // When stderr is closed there is nobody to tell; the server must go on regardless.
            output.write_all(&batch).unwrap_or_default();
            lines.mark_written(&batch);
            batch.clear();
        }
    };
    thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(work)?;
    Ok(queue)
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

/// Passes text on, with everything escaped that could end or disguise a line.
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
        // Nearly every line: one quick look at its bytes instead of one at each character.
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

    /// All escaped characters are below U+10000, so four digits suffice (RFC 8259 §7).
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

/// Whether a byte stands for itself, and cannot be part of anything that does not.
fn is_plain_ascii(format: LogFormat, byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && (format == LogFormat::Text || !matches!(byte, b'"' | b'\\'))
}

/// Control characters, the Unicode line separators and the marks that reorder displayed text;
/// in JSON also what its syntax demands. Text keeps backslashes as they are, to stay readable.
fn must_be_escaped(format: LogFormat, character: char) -> bool {
    match character {
        '"' | '\\' => format == LogFormat::Json,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Instant;

    use log::Level;
    use serde_json::Value;

    use super::*;

    const HOSTILE: &str = "a\"b\\c\nd\re\tf\0g\u{1b}[31mh\u{7f}i\u{85}j\u{2028}k\u{202e}l é😀";

    fn event(format: LogFormat, target: &str, message: &str) -> String {
        let mut line = Vec::new();
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_290_467_123);
        let mut record = Record::builder();
        record.level(Level::Info).target(target);
        let args = format_args!("{message}");
        write_event(&mut line, format, time, &record.args(args).build()).expect("it is a Vec");
        String::from_utf8(line).expect("lines are UTF-8")
    }

    #[test]
    fn an_event_has_time_level_target_and_message() {
        let text = event(LogFormat::Text, "quietline::http", "status=200");
        assert_eq!(
            text,
            "2026-11-21T19:47:47.123Z INFO  quietline::http: status=200\n"
        );
        let json = event(LogFormat::Json, "quietline::http", "status=200");
        let expected = concat!(
            r#"{"ts":"2026-11-21T19:47:47.123Z","level":"INFO","#,
            r#""target":"quietline::http","message":"status=200"}"#,
            "\n"
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn text_shows_every_character_that_could_forge_a_line() {
        let text = event(LogFormat::Text, "t", HOSTILE);
        let message = r#"a"b\c\nd\re\tf\u0000g\u001b[31mh\u007fi\u0085j\u2028k\u202el é😀"#;
        assert_eq!(
            text,
            format!("2026-11-21T19:47:47.123Z INFO  t: {message}\n")
        );
    }

    #[test]
    fn json_gives_the_message_back_unchanged() {
        let json: Value = serde_json::from_str(&event(LogFormat::Json, HOSTILE, HOSTILE))
            .expect("a line is JSON");
        assert_eq!(json["message"], HOSTILE);
        assert_eq!(json["target"], HOSTILE);
    }

    #[test]
    fn one_event_is_one_line_whatever_character_it_has() {
        for character in (0..=0x2100).filter_map(char::from_u32) {
            let message = format!("before{character}after");
            for format in [LogFormat::Text, LogFormat::Json] {
                let line = event(format, &message, &message);
                let (end, rest) = line.split_at(line.len() - 1);
                assert_eq!(rest, "\n");
                assert!(!end.contains(char::is_control), "{line:?}");
                assert!(!end.contains(['\u{2028}', '\u{2029}']), "{line:?}");
            }
        }
    }

    /// Counts the writes and keeps what was written.
    #[derive(Clone, Default)]
    struct Sink {
        bytes: Arc<Mutex<Vec<u8>>>,
        writes: Arc<AtomicUsize>,
        delay: Duration,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes.fetch_add(1, Ordering::SeqCst);
            thread::sleep(self.delay);
            self.bytes
                .lock()
                .expect("no panic while held")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log_from_four_threads(logger: &QueueLogger, lines: usize, message: &str) {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| log_lines(logger, lines, message));
            }
        });
    }

    fn log_lines(logger: &QueueLogger, lines: usize, message: &str) {
        for number in 0..lines {
            let mut record = Record::builder();
            record.level(Level::Info).target("t");
            let args = format_args!("{number}\n{message}");
            logger.log(&record.args(args).build());
        }
    }

    #[test]
    fn no_line_is_lost_or_torn_and_many_share_one_write() {
        let sink = Sink::default();
        let queue = start_writer(sink.clone()).expect("the thread starts");
        let logger = build_logger("info", LogFormat::Json, queue);
        // Together these lines are several times as large as the queue.
        let message = "x".repeat(1000);
        log_from_four_threads(&logger, 1000, &message);
        logger.flush();
        let written = sink.bytes.lock().expect("no panic while held");
        assert!(written.len() > 3 * QUEUE_BYTES);
        let text = std::str::from_utf8(&written).expect("UTF-8");
        let is_whole = |line: &str| serde_json::from_str::<Value>(line).is_ok();
        assert_eq!(text.lines().filter(|line| is_whole(line)).count(), 4000);
        assert!(
            sink.writes.load(Ordering::SeqCst) < 400,
            "about one write per gathering"
        );
    }

    #[test]
    fn a_flush_waits_for_a_slow_reader() {
        let sink = Sink {
            delay: Duration::from_millis(50),
            ..Sink::default()
        };
        let queue = start_writer(sink.clone()).expect("the thread starts");
        let logger = build_logger("info", LogFormat::Text, queue);
        log_from_four_threads(&logger, 1, "slow");
        logger.flush();
        let written = sink.bytes.lock().expect("no panic while held");
        assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 4);
    }

    /// Queues a line with every write, until it is told to stop.
    struct Endless {
        queue: Arc<OnceLock<Arc<Queue>>>,
        is_over: Arc<AtomicBool>,
    }

    impl Write for Endless {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.is_over.load(Ordering::SeqCst) {
                self.queue.wait().push(b"and another\n");
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flush_does_not_wait_for_lines_that_come_after_it() {
        let (queue, is_over) = (Arc::default(), Arc::default());
        let output = Endless {
            queue: Arc::clone(&queue),
            is_over: Arc::clone(&is_over),
        };
        let started = queue.get_or_init(|| start_writer(output).expect("the thread starts"));
        started.push(b"first\n");
        let asked = Instant::now();
        started.wait_until_written();
        assert!(asked.elapsed() < FLUSH_TIMEOUT);
        is_over.store(true, Ordering::SeqCst);
    }

    #[test]
    fn filtered_events_are_not_queued() {
        let sink = Sink::default();
        let queue = start_writer(sink.clone()).expect("the thread starts");
        let logger = build_logger("warn", LogFormat::Text, queue);
        log_from_four_threads(&logger, 10, "quiet");
        logger.flush();
        assert_eq!(sink.writes.load(Ordering::SeqCst), 0);
    }
}
