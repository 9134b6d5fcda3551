//! Golden transcripts of people who play with `websocat`: typed at a terminal, where each line is
//! written once the last is answered, and piped in, all at once. Both must read the same.
//!
//! In `fixtures/transcripts` a line that begins with `> ` is typed, the others are read. Numbers
//! after `seq` and `epoch` and those of the clock are written `N`. `HOLDFAST_WRITE_TRANSCRIPTS=1`
//! writes the files anew, to be read by a person before they are kept.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use loadtest::bot::Bot;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::scenario::{attack, join};
use crate::support::{PATIENCE, Server};
use crate::text::{normal, readme_transcript};

/// What comes when it likes, and is no part of a transcript.
const BY_THE_WAY: [&str; 5] = ["* tick", "* here: ", "* now here too: ", "* top: 1.", "* alice: "];

/// The tool itself: `HOLDFAST_WEBSOCAT`, or as `tests/run` installs it, or on the path.
fn websocat() -> PathBuf {
    if let Some(given) = std::env::var_os("HOLDFAST_WEBSOCAT") {
        return given.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("websocat"));
    let found = found.into_iter().find(|file| file.exists());
    found.expect("websocat is missing: cargo install websocat --locked, or HOLDFAST_WEBSOCAT=PATH")
}

/// A person at websocat.
struct Person {
    child: Child,
    hand: Option<ChildStdin>,
    eyes: Lines<BufReader<ChildStdout>>,
    /// At a terminal one sees what one types.
    typed: bool,
}

impl Person {
    /// websocat with its input and output piped. It stays until the server closes.
    fn piped(server: &Server) -> Self {
        let mut command = Command::new(websocat());
        command.args(["--no-close", &server.ws()]);
        Self::start(command, false)
    }

    /// websocat at a terminal of its own.
    fn typed(server: &Server) -> Self {
        let tool = websocat();
        let line = format!("'{}' --exit-on-eof {}", tool.display(), server.ws());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]);
        Self::start(command, true)
    }

    fn start(mut command: Command, typed: bool) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("websocat, and script of util-linux, to start");
        let hand = child.stdin.take();
        let eyes = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, hand, eyes, typed }
    }

    /// Writes lines in one go.
    async fn write(&mut self, text: &str) {
        let hand = self.hand.as_mut().expect("an open input");
        hand.write_all(text.as_bytes()).await.expect("websocat to read");
        hand.flush().await.expect("websocat to read");
        if self.typed {
            let echo = self.read().await;
            assert_eq!(echo.as_deref(), Some(text.trim_end()), "the terminal's echo");
        }
    }

    /// The next line as it stands; none at the end.
    async fn next(&mut self) -> Option<String> {
        let line = timeout(PATIENCE, self.eyes.next_line()).await.expect("a line in time");
        line.expect("readable output").map(|line| line.trim_end_matches('\r').to_owned())
    }

    /// The next line of a transcript.
    async fn read(&mut self) -> Option<String> {
        loop {
            let line = self.next().await?;
            if !BY_THE_WAY.iter().any(|one| line.starts_with(one)) {
                return Some(timeless(&line));
            }
        }
    }

    async fn left(mut self) {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.expect("websocat to end with the socket").is_ok());
    }
}

/// A line without the numbers of the journal and of times.
fn timeless(line: &str) -> String {
    let line = normal(line);
    let mut words: Vec<&str> = line.split(' ').collect();
    for at in 1..words.len() {
        if words[at].starts_with("ms") && words[at - 1].parse::<u64>().is_ok() {
            words[at - 1] = "N";
        }
    }
    words.join(" ")
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/transcripts/{name}.txt"))
}

fn golden(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file(name)).expect("a transcript");
    text.lines().map(str::to_owned).collect()
}

/// Somebody who waits in the den, to be struck.
async fn bob(server: &Server) -> Bot {
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    assert!(bob.command(join("den")).await.unwrap().result.is_ok());
    bob
}

/// True when `said` answers a typed line, and is not what happens meanwhile.
fn answers(typed: &str, said: &str) -> bool {
    let by_event = ["help", "ping", "login"].iter().any(|word| typed.starts_with(word));
    said.starts_with("ok") || said.starts_with('!') || by_event && said.starts_with('*')
}

/// Types the lines of a transcript, each after the answer to the last; what is seen.
async fn type_out(server: &Server, transcript: &[String]) -> Vec<String> {
    let mut alice = Person::typed(server);
    let mut seen = vec![alice.read().await.expect("a greeting")];
    for line in transcript.iter().filter_map(|line| line.strip_prefix("> ")) {
        seen.push(format!("> {line}"));
        alice.write(&format!("{line}\n")).await;
        while let Some(said) = alice.read().await {
            let answers = answers(line, &said);
            seen.push(said);
            if answers {
                break;
            }
        }
    }
    assert_eq!(alice.read().await, None, "the socket ends with quit");
    alice.left().await;
    seen
}

/// Pipes all lines in at once; what is read.
async fn pipe_in(server: &Server, transcript: &[String]) -> Vec<String> {
    let mut alice = Person::piped(server);
    let lines = transcript.iter().filter_map(|line| line.strip_prefix("> "));
    let script: String = lines.map(|line| format!("{line}\n")).collect();
    alice.write(&script).await;
    alice.hand = None;
    let mut read = Vec::new();
    while let Some(line) = alice.read().await {
        read.push(line);
    }
    alice.left().await;
    read
}

/// Plays a transcript by hand and by pipe, each on a world of its own.
async fn play(name: &str) {
    let transcript = golden(name);
    let typed = {
        let server = Server::start().await;
        let _bob = bob(&server).await;
        type_out(&server, &transcript).await
    };
    if std::env::var_os("HOLDFAST_WRITE_TRANSCRIPTS").is_some() {
        std::fs::write(file(name), typed.join("\n") + "\n").unwrap();
        return;
    }
    assert_eq!(typed, transcript, "typed");
    let server = Server::start().await;
    let _bob = bob(&server).await;
    let answers: Vec<_> = transcript.into_iter().filter(|line| !line.starts_with("> ")).collect();
    assert_eq!(pipe_in(&server, &golden(name)).await, answers, "piped in at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_game_reads_as_it_should() {
    play("first-game").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_explained() {
    play("mistakes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn help_tells_a_stranger_all_there_is() {
    play("help").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_transcript_is_what_websocat_shows() {
    let server = Server::start().await;
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    assert!(bob.command(join("dungeon-7")).await.unwrap().result.is_ok());
    let mut alice = Person::typed(&server);
    for line in readme_transcript() {
        if !line.starts_with(['*', '!']) && !line.starts_with("ok") {
            alice.write(&format!("{line}\n")).await;
            continue;
        }
        if line.starts_with("* bob attacked") {
            assert!(bob.command(attack("alice")).await.unwrap().result.is_ok());
        }
        assert_eq!(alice.read().await, Some(timeless(line)), "the README is not true");
    }
}
