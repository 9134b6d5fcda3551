//! Reports of results that went well, went wrong, were cut off, or hold nothing.

use std::fs;

use super::sample::{bare, cut, met, slower, violated};
use super::{html, text};
use crate::result::{Judged, Mark, Process, RunResult, Sample, VERSION, Verdict};
use crate::stats::{Measure, Stats};

/// Elements that have no end.
const OPEN_ENDED: [&str; 3] = ["meta", "br", "!doctype"];

/// Says what is wrong with the nesting of a page's elements; scripts and styles are passed over.
fn unbalanced(html: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>')?;
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next()?;
        if tag.matches('"').count() % 2 == 1 {
            return Some(format!("a quote is open in <{tag}>"));
        }
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Some(format!("</{name}> ends what is not open"));
            }
        } else if !tag.ends_with('/') && !OPEN_ENDED.contains(&name) {
            open.push(name);
        }
        if ["script", "style"].contains(&name) && !tag.starts_with('/') {
            let (_, after) = rest.split_once(&format!("</{name}>"))?;
            open.pop();
            rest = after;
        }
    }
    open.pop().map(|name| format!("<{name}> is not ended"))
}

/// A page that nests well, asks for nothing from elsewhere and has no number that is none.
fn sound(result: &RunResult) -> String {
    let page = html(result);
    assert_eq!(unbalanced(&page), None);
    for bad in ["NaN", "inf<", "inf ", "inf\"", ">inf", "None", "Some(", "src=", "@import", "url("]
    {
        assert!(!page.contains(bad), "the page holds {bad}");
    }
    let links = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!links.contains("http://") && !links.contains("https://"), "nothing is elsewhere");
    let summary = text(result);
    assert!(summary.lines().count() <= 50, "{} lines:\n{summary}", summary.lines().count());
    assert!(!summary.contains("NaN") && !summary.contains("inf "), "{summary}");
    page
}

#[test]
fn unbalanced_elements_are_found() {
    assert_eq!(unbalanced("<p>a<b>c</b></p>"), None);
    assert!(unbalanced("<p>a<b>c</p></b>").is_some());
    assert!(unbalanced("<svg><g></svg>").is_some());
    assert!(unbalanced("<p class=\"a>b</p>").is_some());
}

/// `HOLDFAST_WRITE_REPORT=DIR` writes the pages there, to be looked at.
#[test]
fn every_kind_of_result_has_a_sound_page() {
    let kinds = [("met", met()), ("violated", violated()), ("cut", cut()), ("bare", bare())];
    for (name, result) in kinds {
        let page = sound(&result);
        if let Some(folder) = std::env::var_os("HOLDFAST_WRITE_REPORT") {
            let file = std::path::Path::new(&folder).join(name);
            fs::write(file.with_extension("html"), page).unwrap();
            fs::write(file.with_extension("txt"), text(&result)).unwrap();
            result.write(&file.with_extension("json")).unwrap();
        }
    }
}

#[test]
fn a_page_holds_all_that_was_measured() {
    let page = sound(&met());
    let sections = [
        "Thresholds",
        "Promises",
        "Second by second",
        "How the times are spread",
        "Times",
        "Counts",
        "Closes and refusals",
        "Environment",
    ];
    let mut at = 0;
    for name in sections {
        let found = page.find(&format!("<h2>{name}</h2>"));
        assert!(found > Some(at), "{name} is not there, or not after what comes before it");
        at = found.unwrap();
    }
    let parts = [
        "<div class=\"verdict met\">",
        "Every threshold is met, and no promise was broken.",
        "2026-10-16 ",
        "Players connected",
        "Resident memory",
        "input p99",
        ">kill gw-1</text>",
        ">hold</text>",
        "99.99 %",
        "class=\"line echo dashed\"",
        "frames to players",
        "connections_max = 20000",
        "name = &quot;kill-one-gateway&quot;",
        "✓ kept",
        "– nothing to look at",
    ];
    for part in parts {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<figure").count(), 7);
    assert_eq!(page.matches("class=\"tile ").count(), 6);
    assert!(!page.contains("class=\"banner\""));
}

#[test]
fn what_was_not_measured_is_not_shown() {
    let page = sound(&bare());
    for part in
        ["<figure", "class=\"tile ", "<h2>Thresholds", "<h2>Promises", "<h2>Times", "<h2>Counts"]
    {
        assert!(!page.contains(part), "{part}");
    }
    assert!(page.contains("Cut off after 0 s; what follows is what was known."));
    let mut quiet = met();
    for second in &mut quiet.seconds {
        second.counts.clear();
        second.times.clear();
    }
    quiet.processes.clear();
    let page = sound(&quiet);
    assert_eq!(page.matches("<figure").count(), 2, "players and percentiles are left");
    assert!(!page.contains("Server CPU"));
}

#[test]
fn a_run_that_was_cut_off_says_so_first() {
    let page = sound(&cut());
    assert!(page.contains("Cut off after 52 s; what follows is what was known."));
    assert!(page.contains("The run has not come to its verdict."));
    assert!(text(&cut()).contains("cut off after 52 s"));
}

#[test]
fn violations_are_shown_in_full_and_escaped() {
    let page = sound(&violated());
    assert!(page.contains("<div class=\"verdict violated\">"));
    assert!(page.contains("&lt;script&gt;alert(&#39;bot&#39;)&lt;/script&gt;"));
    assert!(page.contains("41.377 s  gw-2  ⟳ resumed at 8842, missed 0\n"));
    assert!(page.contains("✗ broken") && page.contains("✗ missed"));
    assert!(!page.contains("<script>alert"));
}

#[test]
fn texts_from_anywhere_can_not_leave_their_place() {
    let evil = "</script><script>alert(1)</script>\"'&";
    let mut result = violated();
    result.setup.scenario = evil.to_owned();
    result.setup.about = evil.to_owned();
    result.setup.toml = evil.to_owned();
    result.setup.urls = vec![evil.to_owned()];
    result.reasons = vec![evil.to_owned()];
    result.chaos[0].what = evil.to_owned();
    result.phases[1].what = format!("hold {evil}");
    result.processes[0].name = evil.to_owned();
    result.checks[0].name = evil.to_owned();
    result.violations[0].history = vec![evil.to_owned()];
    result.thresholds[0].text = evil.to_owned();
    result.machine.cpu = evil.to_owned();
    let mut stats = Stats::default();
    stats.refused(evil);
    result.all = stats.pack();
    let page = sound(&result);
    assert!(!page.contains("<script>alert"), "in elements and attributes");
    assert_eq!(page.matches("</script>").count(), page.matches("<script").count(), "in scripts");
    assert!(
        !text(&bare_named("a\u{1b}[2Jb\nc"))
            .contains(['\u{1b}', '\n'].map(String::from).concat().as_str())
    );
    assert!(text(&bare_named("a\u{1b}[2Jb\nc")).starts_with("– VOID  a [2Jb c\n"));
}

fn bare_named(name: &str) -> RunResult {
    let mut result = bare();
    result.setup.scenario = name.to_owned();
    result
}

#[test]
fn nonsense_in_a_result_is_no_nonsense_on_the_page() {
    let mut result = met();
    result.thresholds.push(Judged {
        text: "x < 1".to_owned(),
        measured: Some(f64::NAN),
        allowed: None,
        unit: String::new(),
        met: false,
    });
    let samples = [f64::NAN, f64::INFINITY, -1.0];
    let samples = samples.map(|cores| Sample { at_ms: u64::MAX, cores, resident: u64::MAX });
    result.processes.push(Process { name: "gw-3".to_owned(), samples: samples.into() });
    result.phases.push(Mark { at_ms: u64::MAX, what: "late".to_owned() });
    result.seconds[3].times.get_mut(&Measure::InputAck).unwrap().p99 = f64::INFINITY;
    sound(&result);
}

#[test]
fn a_long_run_has_no_more_points_than_a_chart_has_pixels() {
    let mut result = met();
    let seconds = result.seconds.clone();
    result.phases.clear();
    result.seconds = (0..36_000)
        .map(|nth| {
            let mut second = seconds[nth % seconds.len()].clone();
            second.at_ms = nth as u64 * 1_000 + 1_000;
            second
        })
        .collect();
    let page = sound(&result);
    assert!(page.contains("A point stands for 1 min: of latencies the worst second in it"));
    assert!(page.contains(">10 h</text>"));
    assert!(page.len() < 700_000, "{} bytes", page.len());
}

#[test]
fn measurements_that_can_not_be_read_are_said_to_be_missing() {
    let mut value = serde_json::to_value(met()).unwrap();
    value["held"]["times"]["command"] = "?".into();
    let result: RunResult = serde_json::from_value(value).unwrap();
    assert!(sound(&result).contains("Some measurements are missing here"));
}

#[test]
fn the_terminal_gets_what_matters_aligned() {
    let summary = text(&violated());
    let lines: Vec<&str> = summary.lines().collect();
    assert_eq!(lines[0], "! VIOLATED  kill-one-gateway");
    assert_eq!(lines[1], "  2,000 players, 2 min, store redis, 2026-10-16 09:55:09 UTC");
    assert_eq!(lines[2], "  A promise to the players was broken.");
    assert!(summary.contains("  ✗ input_ack.p99 < 25ms   44.8 ms      of 25 ms\n"), "{summary}");
    assert!(summary.contains("  ✗ lost          71,904 looked at  2 violations\n"), "{summary}");
    let times = lines.iter().skip_while(|line| !line.starts_with("milliseconds"));
    let times: Vec<&&str> = times.take_while(|line| !line.is_empty()).collect();
    assert!(times.len() > 6 && times[0].ends_with("max"), "{summary}");
    let lens: Vec<usize> = times.iter().rev().skip(1).map(|line| line.chars().count()).collect();
    assert!(lens.iter().all(|len| *len == lens[0]), "{summary}");
    assert!(lines.iter().all(|line| line.chars().count() <= 110), "{summary}");
}

#[test]
fn a_crowded_summary_keeps_to_a_screen() {
    let mut result = violated();
    result.reasons = vec!["a reason".to_owned(); 30];
    result.thresholds = vec![result.thresholds[0].clone(); 30];
    result.checks = vec![result.checks[0].clone(); 30];
    result.violations = vec![result.violations[0].clone(); 20];
    sound(&result);
    assert!(text(&result).contains("… and 26 more"));
}

#[test]
fn a_result_is_read_as_it_was_written_and_a_newer_one_refused() {
    let folder = std::env::temp_dir().join(format!("holdfast-report-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("result.json");
    let result = slower();
    result.write(&file).unwrap();
    let read = RunResult::read(&file).unwrap();
    assert!(read == result, "the result is not the one that was written");
    assert!(html(&read) == html(&result), "the page is not the same");
    let mut newer = result;
    newer.version = VERSION + 1;
    newer.write(&file).unwrap();
    assert!(RunResult::read(&file).unwrap_err().to_string().contains("use a newer one"));
    newer.format = "else".to_owned();
    newer.write(&file).unwrap();
    assert!(RunResult::read(&file).unwrap_err().to_string().contains("is no result"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn each_verdict_has_its_sign_and_sentence() {
    let verdicts = [Verdict::Met, Verdict::Missed, Verdict::Violated, Verdict::Void];
    let mut first = verdicts.map(|verdict| {
        let result = RunResult { verdict, complete: true, ..bare() };
        sound(&result);
        text(&result).lines().next().map(str::to_owned).unwrap()
    });
    first.sort();
    assert!(first.windows(2).all(|two| two[0] != two[1]), "{first:?}");
}
