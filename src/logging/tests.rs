//! Lines of hostile events, and the queue under load and without a reader.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use log::Log;
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
    let json: Value =
        serde_json::from_str(&event(LogFormat::Json, HOSTILE, HOSTILE)).expect("a line is JSON");
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
fn no_line_is_torn_and_many_share_one_write() {
    let sink = Sink::default();
    let (progress, pipe) = start_queue(sink.clone(), LogFormat::Text).expect("a thread starts");
    let logger = builder("info", LogFormat::Json, pipe).build();
    // As many lines as the queue has room for, and many times as large as a batch.
    let message = "x".repeat(1000);
    log_from_four_threads(&logger, QUEUE_LINES / 4, &message);
    progress.flush();
    let written = sink.bytes.lock().expect("no panic while held");
    assert!(written.len() > 3 * BATCH_BYTES);
    let text = std::str::from_utf8(&written).expect("UTF-8");
    let is_whole = |line: &str| serde_json::from_str::<Value>(line).is_ok();
    assert_eq!(
        text.lines().filter(|line| is_whole(line)).count(),
        QUEUE_LINES
    );
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
    let (progress, pipe) = start_queue(sink.clone(), LogFormat::Text).expect("a thread starts");
    let logger = builder("info", LogFormat::Text, pipe).build();
    log_from_four_threads(&logger, 1, "slow");
    progress.flush();
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
    let (progress, started) = start_queue(output, LogFormat::Text).expect("a thread starts");
    let started = pipe.get_or_init(|| Mutex::new(started));
    let mut first = started.lock().expect("no panic while held");
    first.write_all(b"first\n").expect("queued");
    drop(first);
    let asked = Instant::now();
    progress.flush();
    assert!(asked.elapsed() < FLUSH_TIMEOUT);
    is_over.store(true, Ordering::SeqCst);
}

#[test]
fn filtered_events_are_not_queued() {
    let sink = Sink::default();
    let (progress, pipe) = start_queue(sink.clone(), LogFormat::Text).expect("a thread starts");
    let logger = builder("warn", LogFormat::Text, pipe).build();
    log_from_four_threads(&logger, 10, "quiet");
    progress.flush();
    assert_eq!(sink.writes.load(Ordering::SeqCst), 0);
}

/// Output that nothing reads until it is opened.
#[derive(Clone, Default)]
struct Stalled {
    sink: Sink,
    is_open: Arc<AtomicBool>,
}

impl Write for Stalled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while !self.is_open.load(Ordering::SeqCst) {
            thread::sleep(FLUSH_POLL);
        }
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_beyond_the_queue_are_dropped_and_counted_while_nothing_is_read() {
    let stalled = Stalled::default();
    let (progress, pipe) = start_queue(stalled.clone(), LogFormat::Text).expect("a thread starts");
    let logger = builder("info", LogFormat::Text, pipe).build();
    // Logging returns although nothing can be written.
    log_from_four_threads(&logger, QUEUE_LINES, "x");
    stalled.is_open.store(true, Ordering::SeqCst);
    progress.flush();
    let written = stalled.sink.bytes.lock().expect("no panic while held");
    let text = std::str::from_utf8(&written).expect("UTF-8");
    let (report, lines): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains("dropped"));
    let [report] = report[..] else {
        panic!("one report: {report:?}");
    };
    let dropped = report
        .split(' ')
        .skip_while(|word| *word != "dropped")
        .nth(1);
    let dropped: usize = dropped
        .and_then(|number| number.parse().ok())
        .expect("a number");
    assert_eq!(lines.len() + dropped, 4 * QUEUE_LINES);
    assert!(lines.len() >= QUEUE_LINES);
}
