//! The demonstration: founds a street, plays a day, shows what came of it.

mod day;
mod process;
mod screen;
mod street;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use screen::Screen;
use street::{STREET, Street, Who};

/// Between two steps, where a person looks on.
const PAUSE: Duration = Duration::from_millis(600);

/// How to play.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// 演示目录,演示后保留(默认用临时目录,演示后删除)/ Where; kept afterwards (default: a temporary
    /// directory, removed at the end)
    #[arg(long)]
    dir: Option<PathBuf>,
    /// 保留临时目录 / Keeps the temporary directory
    #[arg(long)]
    keep: bool,
    /// 坏网络的随机种子 / Seed of the bad link and of the values that conflict
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// 快慢 / fast: no pauses between the steps
    #[arg(long, value_enum, default_value_t = Speed::Normal)]
    speed: Speed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Speed {
    Normal,
    Fast,
}

/// Where a demonstration takes place.
struct Place {
    path: PathBuf,
    /// Removed with this value.
    _temporary: Option<tempfile::TempDir>,
}

/// Plays the demonstration; fails if anything that must hold does not.
pub(crate) fn main(options: &Options) -> ExitCode {
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("演示没有走完 / the demonstration broke off: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool> {
    let place = place(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let stop = wangge_node::stop_signal()?;
        tokio::select! {
            // Dropping the day kills whatever it has started.
            () = stop => Err(anyhow::anyhow!("已中断,已收拾干净 / interrupted; nothing is left running")),
            result = play(options, &place.path) => result,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// The directory: named, or temporary. One that held a demonstration before gets another beside it.
fn place(options: &Options) -> Result<Place> {
    let Some(dir) = &options.dir else {
        let temporary = tempfile::Builder::new().prefix("wangge-demo-").tempdir()?;
        let path = temporary.path().to_owned();
        if options.keep {
            let path = temporary.keep();
            println!("演示目录 / directory: {}", path.display());
            return Ok(Place { path, _temporary: None });
        }
        return Ok(Place { path, _temporary: Some(temporary) });
    };
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let dir = std::fs::canonicalize(dir)?;
    let path = (1..).map(|run| dir.join(format!("day-{run}"))).find(|path| !path.exists());
    let path = path.context("no free name")?;
    std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
    if !path.ends_with("day-1") {
        println!(
            "{} 里已有演示,保留不动;这一次在 {}\n{} holds an earlier demonstration, which stays; this one is in {}",
            dir.display(),
            path.display(),
            dir.display(),
            path.display(),
        );
    }
    Ok(Place { path, _temporary: None })
}

async fn play(options: &Options, dir: &Path) -> Result<bool> {
    let pause = if options.speed == Speed::Fast { Duration::ZERO } else { PAUSE };
    let mut screen = Screen::new(day::STEPS, pause);
    let result = play_on(options, dir, &mut screen).await;
    screen.end();
    result
}

async fn play_on(options: &Options, dir: &Path, screen: &mut Screen) -> Result<bool> {
    screen
        .step(
            &format!("建立{},两个片区六个村居,启动中心", STREET.1),
            "a street is founded from its division codes: two areas, six villages; the relay starts",
        )
        .await;
    let (mut street, said) = Street::found(dir, options.seed).await?;
    screen.quote(&said);
    screen.note(
        &format!("中心在 {} 等候", street.relay_addr()),
        &format!("the relay listens on {}", street.relay_addr()),
    );
    day::play(&mut street, screen, options.seed).await?;
    screen.step("收工:各处与中心对账", "the end of the day: every replica is compared with the relay").await;
    let all_equal = reckon(&street, screen).await?;
    let unruly = street.close().await?;
    match unruly.as_slice() {
        [] => screen.expect(true, "全部程序正常停止", "all programs stopped in order"),
        names => {
            let names = names.join(", ");
            screen.expect(
                false,
                &format!("没有正常停止:{names}"),
                &format!("did not stop in order: {names}"),
            );
        }
    }
    let holds = all_equal && screen.failures().is_empty();
    screen.line(&verdict(screen, all_equal));
    if options.keep || options.dir.is_some() {
        screen.line(&format!("数据、日志、导出的台账 / data, logs, exported ledger: {}", dir.display()));
    }
    Ok(holds)
}

const HEADINGS: [[&str; 2]; 9] = [
    ["副本", "replica"],
    ["岗位", "role"],
    ["范围", "scopes"],
    ["档案", "documents"],
    ["与中心一致", "equal"],
    ["未决冲突", "conflicts"],
    ["发送", "sent B"],
    ["收到", "received B"],
    ["同步/往返", "syncs/RTT"],
];

/// The table at the end. Returns whether every replica holds what the relay does.
async fn reckon(street: &Street, screen: &Screen) -> Result<bool> {
    let mut rows = Vec::new();
    let mut all_equal = true;
    let mut lost = 0;
    for who in Who::ALL {
        let differing = street.differing(who).await?;
        let digests = street.digests(who).await?;
        let documents: u64 =
            digests.values().filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).sum();
        let conflicts = street.ask(who, &["conflicts", "list"]).await?.as_array().map_or(0, Vec::len);
        let account = street.account(who)?;
        all_equal &= differing.is_empty() && conflicts == 0;
        lost += account.lost;
        let equal =
            if differing.is_empty() { "是 yes".to_owned() } else { format!("否 no: {differing:?}") };
        rows.push(vec![
            format!("{} {}", who.zh(), who.en()),
            who.role().to_owned(),
            digests.len().to_string(),
            documents.to_string(),
            equal,
            conflicts.to_string(),
            account.sent.to_string(),
            account.received.to_string(),
            format!("{}/{}", account.syncs, account.round_trips),
        ]);
    }
    screen.line("");
    screen.line(&table::draw(&HEADINGS, &rows, 2));
    screen.line(&format!(
        "发送和收到:UDP 载荷,连同握手和重传;途中丢失 {lost} 个包\n\
         sent and received: UDP payload, with handshakes and repeats; {lost} datagrams were lost on the way\n\
         往返:只算 sync 命令的 / round trips: of the sync commands only; live sessions count none\n"
    ));
    Ok(all_equal)
}

fn verdict(screen: &Screen, all_equal: bool) -> String {
    let seconds = screen.elapsed().as_secs_f64();
    let failures = screen.failures();
    if all_equal && failures.is_empty() {
        return format!(
            "全部一致:五个副本与中心相同,没有丢一条,没有未决的冲突({seconds:.1} 秒)\n\
             ALL EQUAL: five replicas hold what the relay holds, nothing was lost, no conflict is open ({seconds:.1} s)"
        );
    }
    let mut lines = vec![format!(
        "不符:{} 处与预期不同({seconds:.1} 秒)\nNOT AS EXPECTED in {} places ({seconds:.1} s)",
        failures.len().max(1),
        failures.len().max(1),
    )];
    lines.extend(failures.iter().map(|failure| format!("  ✗ {failure}")));
    lines.join("\n")
}
