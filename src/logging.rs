//! Writes log events to stderr, as text or as JSON: one event is always exactly one line.
//!
//! env_logger filters and formats. A background thread writes the lines in batches, so that a busy
//! server makes a few hundred system calls a second for its log, not one per line. Not here: the
//! choice of what is logged. Callers must not log tokens or secrets, because nothing is masked.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use env_logger::Target;
use log::Record;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait to be written. When the queue is full, logging threads wait: no line is
/// lost, and a reader of stderr that stalls also stalls the server, as it would without a queue.
const QUEUE_LINES: usize = 4096;

/// Bytes that are written at once at most, unless a single line is longer.
const BATCH_BYTES: usize = 64 * 1024;

/// Pause of the writer after a batch. Lines gather in the meantime without waking a thread.
const GATHER: Duration = Duration::from_millis(5);

/// Longest wait of a flush. Without it, a process whose stderr is not read would never end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause between two checks of a flush.
const FLUSH_POLL: Duration = Duration::from_millis(1);

/// The queue of the process. It is never dropped, so that lines are written until the very end.
static QUEUE: OnceLock<Queue> = OnceLock::new();

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
    let (queue, pipe) = start_queue(io::stderr());
    builder(filter, format, pipe)
        .try_init()
        .map_err(io::Error::other)?;
    QUEUE.get_or_init(|| queue);
    Ok(LogGuard(()))
}

/// Waits until every line logged so far is written, at most two seconds.
///
/// For a panic hook, and before `std::process::exit`, which drops no guard.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush();
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

/// Byte counts of a queue. `NonBlocking` cannot tell when its lines are written.
#[derive(Default)]
struct Progress {
    queued: AtomicU64,
    written: AtomicU64,
}

/// Lines on their way from the logging threads to the writer.
struct Queue {
    progress: Arc<Progress>,
    /// The thread ends when its guard is dropped.
    _writer: WorkerGuard,
}

impl Queue {
    /// Waits until every line queued so far is written, or the timeout.
    fn flush(&self) {
        let queued = self.progress.queued.load(Ordering::SeqCst);
        let end = Instant::now() + FLUSH_TIMEOUT;
        while self.progress.written.load(Ordering::SeqCst) < queued && Instant::now() < end {
            thread::sleep(FLUSH_POLL);
        }
    }
}

/// Starts the thread that writes queued lines into `output`. Returns the pipe that queues them.
fn start_queue(output: impl Write + Send + 'static) -> (Queue, Pipe) {
    let progress = Arc::new(Progress::default());
    let batches = Batches {
        output,
        batch: Vec::new(),
        progress: Arc::clone(&progress),
    };
    let (lines, writer) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(QUEUE_LINES)
        .thread_name("log-writer")
        .finish(batches);
    let pipe = Pipe {
        lines,
        progress: Arc::clone(&progress),
    };
    let queue = Queue {
        progress,
        _writer: writer,
    };
    (queue, pipe)
}

/// Sending end of the queue. Logging threads write whole lines into it.
struct Pipe {
    lines: NonBlocking,
    progress: Arc<Progress>,
}

impl Write for Pipe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bytes = line.len() as u64;
        self.progress.queued.fetch_add(bytes, Ordering::SeqCst);
        self.lines.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Receiving end of the queue. The writer thread writes each line into it, and calls `flush`
/// whenever the queue is empty.
struct Batches<W> {
    output: W,
    batch: Vec<u8>,
    progress: Arc<Progress>,
}

impl<W: Write> Batches<W> {
    fn write_batch(&mut self) {
        // The server must survive a closed stderr, and the error cannot be reported elsewhere.
        self.output.write_all(&self.batch).unwrap_or_default();
        let bytes = self.batch.len() as u64;
        self.progress.written.fetch_add(bytes, Ordering::SeqCst);
        self.batch.clear();
    }
}

impl<W: Write> Write for Batches<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.batch.len() + line.len() > BATCH_BYTES {
            self.write_batch();
        }
        self.batch.extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_batch();
        thread::sleep(GATHER);
        Ok(())
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
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use log::{Level, Log};
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

    fn log_from_four_threads(logger: &impl Log, lines: usize, message: &str) {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| log_lines(logger, lines, message));
            }
        });
    }

    fn log_lines(logger: &impl Log, lines: usize, message: &str) {
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
        let (queue, pipe) = start_queue(sink.clone());
        let logger = builder("info", LogFormat::Json, pipe).build();
        // More lines than the queue has room for, and many times as large as a batch.
        let message = "x".repeat(1000);
        log_from_four_threads(&logger, 2000, &message);
        queue.flush();
        let written = sink.bytes.lock().expect("no panic while held");
        assert!(written.len() > 3 * BATCH_BYTES);
        let text = std::str::from_utf8(&written).expect("UTF-8");
        let is_whole = |line: &str| serde_json::from_str::<Value>(line).is_ok();
        assert_eq!(text.lines().filter(|line| is_whole(line)).count(), 8000);
        assert!(
            sink.writes.load(Ordering::SeqCst) < 800,
            "about one write per gathering or full batch"
        );
    }

    #[test]
    fn a_flush_waits_for_a_slow_reader() {
        let sink = Sink {
            delay: Duration::from_millis(50),
            ..Sink::default()
        };
        let (queue, pipe) = start_queue(sink.clone());
        let logger = builder("info", LogFormat::Text, pipe).build();
        log_from_four_threads(&logger, 1, "slow");
        queue.flush();
        let written = sink.bytes.lock().expect("no panic while held");
        assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 4);
    }

    /// Queues a line with every write, until it is told to stop.
    struct Endless {
        pipe: Arc<OnceLock<Mutex<Pipe>>>,
        is_over: Arc<AtomicBool>,
    }

    impl Write for Endless {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.is_over.load(Ordering::SeqCst) {
                let mut pipe = self.pipe.wait().lock().expect("no panic while held");
                pipe.write_all(b"and another\n")?;
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flush_does_not_wait_for_lines_that_come_after_it() {
        let (pipe, is_over) = (Arc::default(), Arc::default());
        let output = Endless {
            pipe: Arc::clone(&pipe),
            is_over: Arc::clone(&is_over),
        };
        let (queue, started) = start_queue(output);
        let started = pipe.get_or_init(|| Mutex::new(started));
        let mut first = started.lock().expect("no panic while held");
        first.write_all(b"first\n").expect("queued");
        drop(first);
        let asked = Instant::now();
        queue.flush();
        assert!(asked.elapsed() < FLUSH_TIMEOUT);
        is_over.store(true, Ordering::SeqCst);
    }

    #[test]
    fn filtered_events_are_not_queued() {
        let sink = Sink::default();
        let (queue, pipe) = start_queue(sink.clone());
        let logger = builder("warn", LogFormat::Text, pipe).build();
        log_from_four_threads(&logger, 10, "quiet");
        queue.flush();
        assert_eq!(sink.writes.load(Ordering::SeqCst), 0);
    }
}
