//! The command line of the relay.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::Value;

use wangge_model::identity::{IdentityError, Role, Scope};
use wangge_node::command::{self, CommandError, RosterCommand};
use wangge_node::net::Limits;
use wangge_node::replica::{Replica, System, World};
use wangge_store::Options;

use crate::backup::{BackupError, key_beside, restore, verify};
use crate::control::{Request, ask};
use crate::divisions::read_divisions;
use crate::founding::{Founding, found};
use crate::quarantine::{self, Choice};
use crate::roster::{Invite, RelayError, Roster};
use crate::serve::{ServeOptions, serve};

#[derive(Debug, Parser)]
#[command(name = "wangge-relay", version, about = "网格:社管中心 / Wangge: the relay at the street centre")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 建立街道:一村一网格 / Found a street, one grid a village
    Init {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 9 位街道代码 / The street's nine-digit code
        #[arg(long)]
        street_code: String,
        /// 街道名称 / The street's name
        #[arg(long)]
        street_name: String,
        /// 区划代码表 code,name[,area] / Division codes
        #[arg(long)]
        divisions: PathBuf,
    },
    /// 运行中心 / Serve replicas
    Serve {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 监听地址 / Where to listen
        #[arg(long, default_value = "0.0.0.0:4433")]
        listen: SocketAddr,
        /// 邀请码里写的地址 / Where workers reach it
        #[arg(long)]
        address: Option<String>,
        /// 同时连接数上限 / Connections at once
        #[arg(long, default_value_t = Limits::default().connections_max, value_name = "N")]
        max_connections: usize,
        /// 同一地址的连接数上限 / Connections at once from one address
        #[arg(long, default_value_t = Limits::default().connections_of_address_max, value_name = "N")]
        max_per_address: usize,
        /// 每台设备每秒最多上传多少 KiB / KiB a second that one device may send
        #[arg(long, default_value_t = Limits::default().bytes_per_s / 1024, value_name = "KIB")]
        device_rate: u64,
        /// 对端不说话或停在半途时等多少秒 / Seconds to wait for a peer that is silent or stuck
        #[arg(long, default_value_t = Limits::default().patience.as_secs(), value_name = "SECONDS")]
        patience: u64,
    },
    /// 发邀请码 / Invite a worker's device
    Invite {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 姓名 / The worker's name
        #[arg(long)]
        worker: String,
        /// 岗位 / The role
        #[arg(long)]
        role: String,
        /// 单位 / The unit: grid:CODE, area:CODE, team:CODE, centre, street
        #[arg(long)]
        unit: String,
        /// 中心地址 / Where the relay is reached
        #[arg(long)]
        address: Option<String>,
        /// 有效期(小时)/ Term in hours
        #[arg(long, default_value_t = 168.0)]
        hours: f64,
        /// 同时显示二维码 / Show a QR code too
        #[arg(long)]
        qr: bool,
    },
    /// 帮助忘记 PIN 的设备 / Help a device whose PIN is forgotten
    Recover {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 设备给出的一行 WGR1-… / The line that the device printed
        request: String,
        /// 共用设备上忘记 PIN 的人 / Whose PIN, on a shared device
        #[arg(long)]
        worker: Option<String>,
    },
    /// 各范围的摘要 / Digests of all scopes
    Digest {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
    },
    /// 名册:人员、岗位、设备 / The roster: workers, posts, devices
    Roster {
        /// 数据目录 / Data directory
        #[arg(long, global = true, help_heading = "通用选项 / Global options")]
        dir: Option<PathBuf>,
        /// 输出 JSON / As JSON
        #[arg(long, global = true, help_heading = "通用选项 / Global options")]
        json: bool,
        /// What to do.
        #[command(subcommand)]
        command: RosterCommand,
    },
    /// 隔离区 / The quarantine
    Quarantine {
        /// What to do.
        #[command(subcommand)]
        command: QuarantineCommand,
    },
    /// 备份(可在运行中进行)/ Write a backup, while serving too
    Backup {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 备份文件 / The file to write
        #[arg(long, required_unless_present = "list")]
        to: Option<PathBuf>,
        /// 密钥文件,请与备份分开保管(默认 FILE.key)/ Its key, to be kept apart (by default FILE.key)
        #[arg(long)]
        key: Option<PathBuf>,
        /// 列出已做的备份 / List the backups that were made
        #[arg(long)]
        list: bool,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
    /// 从备份恢复到空目录 / Restore a backup to an empty directory
    Restore {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 备份文件 / The backup
        #[arg(long)]
        from: PathBuf,
        /// 密钥文件(默认 FILE.key)/ Its key (by default FILE.key)
        #[arg(long)]
        key: Option<PathBuf>,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
    /// 核对备份是否完好 / Check a backup from end to end
    Verify {
        /// 备份文件 / The backup
        #[arg(long)]
        from: PathBuf,
        /// 密钥文件(默认 FILE.key)/ Its key (by default FILE.key)
        #[arg(long)]
        key: Option<PathBuf>,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
    /// 恢复后没有中心工作站时,由人确认名册并恢复服务 / After a restore: serve again, the roster is right
    Resume {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
    },
    /// 检查数据是否完好,退出码 0 完好、1 有损坏 / Check that all that is stored is whole; exit code 0: whole, 1: damage
    Doctor {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 修复能修复的 / Mend what can be mended
        #[arg(long)]
        repair: bool,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
    /// 审计 / The audit
    Audit {
        /// What to do.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// 密封举报 / Sealed reports
    Reports {
        /// What to do.
        #[command(subcommand)]
        command: ReportsCommand,
    },
    /// 密封密钥 / The key to which reports are sealed
    SealKey {
        /// What to do.
        #[command(subcommand)]
        command: SealKeyCommand,
    },
    /// 单位 / Units
    Unit {
        /// What to do.
        #[command(subcommand)]
        command: UnitCommand,
    },
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// 列出 / List what was done, oldest first
    List {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 从何时起,如 2026-11-25 / From when on
        #[arg(long)]
        since: Option<String>,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
    /// 核对审计链 / Check that nothing was changed or taken away
    Verify {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ReportsCommand {
    /// 列出,不拆封 / List them; none is opened
    List {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
    /// 拆封查看一件,记入审计 / Open one; the audit says so
    Show {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 第几号 / Which
        number: u32,
        /// 只输出 JSON / JSON only
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum SealKeyCommand {
    /// 更换,知情人离岗时用 / Make a new one, when somebody leaves who held the old one
    Renew {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// 列出隔离的内容 / List what waits
    List {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 输出 JSON / As JSON
        #[arg(long)]
        json: bool,
    },
    /// 查看一条 / Show one position
    Show {
        /// 编号,见列表 / Which, as the list names it
        id: String,
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// 输出 JSON / As JSON
        #[arg(long)]
        json: bool,
    },
    /// 采纳,从此生效 / Let it count
    Accept(SettleArgs),
    /// 剔除,永久作废 / Void it for good
    Discard(SettleArgs),
}

#[derive(Debug, Args)]
struct SettleArgs {
    /// 编号,见列表 / Which, as the list names them
    ids: Vec<String>,
    /// 一台设备的全部 / All of a device
    #[arg(long)]
    device: Option<String>,
    /// 全部 / Everything
    #[arg(long)]
    all: bool,
    /// 原因,记入审计 / Why; the audit says so
    #[arg(long, default_value = "")]
    reason: String,
    /// 数据目录 / Data directory
    #[arg(long)]
    dir: PathBuf,
    /// 输出 JSON / As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum UnitCommand {
    /// 列出单位 / List the units
    List {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
    },
    /// 增设团队或子网格 / Add a team or a sub-grid
    Add {
        /// 数据目录 / Data directory
        #[arg(long)]
        dir: PathBuf,
        /// team:CODE, grid:CODE; a sub-grid (子网格) is grid:CODE-1 and so on
        #[arg(long)]
        unit: String,
        /// 名称 / Its name
        #[arg(long)]
        name: String,
        /// 所属片区 / The area that a grid belongs to
        #[arg(long, default_value = "")]
        area: String,
    },
}

/// Runs the command line.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = wangge_node::cli::asks_for_json(&args);
    let mut definition = Cli::command().mut_subcommand("roster", wangge_node::cli::dressed);
    let parsed = definition
        .try_get_matches_from_mut(args)
        .and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition)));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return exit_code(wangge_node::cli::usage(&error, json)),
    };
    wangge_node::log::start("info");
    wangge_node::forbid_core_dumps();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        // What an examination found was printed.
        Err(RelayError::Unhealthy) => {
            exit_code(wangge_node::cli::complain(&spoken(RelayError::Unhealthy), false))
        }
        Err(error) => exit_code(wangge_node::cli::complain(&spoken(error), json)),
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The error in both languages; the node has the words for what lies below the relay.
pub(crate) fn spoken(error: RelayError) -> CommandError {
    let code = match error {
        RelayError::Replica(error) | RelayError::Backup(BackupError::Replica(error)) => return error.into(),
        RelayError::Store(error) | RelayError::Backup(BackupError::Store(error)) => return (&error).into(),
        RelayError::Net(error) => return error.into(),
        RelayError::Command(error) => return error,
        RelayError::Divisions(_) => "divisions",
        RelayError::Identity(_) | RelayError::Post { .. } => "post",
        RelayError::Excluded { .. } => "post-excluded",
        RelayError::StreetCode { .. } => "street-code",
        RelayError::StreetName => "street-name",
        RelayError::UnknownUnit { .. } => "unit-unknown",
        RelayError::WorkerName => "worker-name",
        RelayError::NotTheRelay { .. } => "not-the-relay",
        RelayError::UnitExists { .. } => "unit-exists",
        RelayError::NoReport { .. } => "not-found",
        RelayError::Damaged { .. } | RelayError::Unhealthy => "damaged",
        RelayError::Backup(_) => "backup",
        RelayError::Control(_) => "refused",
    };
    let message = error.to_string();
    CommandError { message, code: code.into(), exit: command::exit::FAILED, field: None }
}

fn roster(dir: &Path) -> Result<Roster, RelayError> {
    Roster::new(Arc::new(Replica::open(dir, Options::default())?))
}

/// The path as a relay that runs elsewhere understands it.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn told(answer: &Value, json: bool, line: &str) {
    if json {
        say(&answer.to_string());
    } else {
        let (entries, len_bytes) = (&answer["entries"], &answer["len_bytes"]);
        say(&format!("{line}\n{entries} 条,{len_bytes} 字节 / {entries} entries, {len_bytes} bytes"));
    }
}

fn say(line: &str) {
    // Whoever closed the pipe has what he wanted.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn run(command: Command) -> Result<(), RelayError> {
    match command {
        Command::Init { dir, street_code, street_name, divisions } => {
            let divisions = read_divisions(&divisions, &street_code)?;
            let count = divisions.len();
            let founding = Founding { street_code, street_name, divisions };
            let replica = found(&dir, &founding)?;
            let areas: Vec<String> = replica
                .scopes()
                .iter()
                .filter(|scope| matches!(scope, Scope::Area(_)))
                .map(ToString::to_string)
                .collect();
            say(&format!(
                "已建立 {}:{count} 个网格,{} 个片区({})\nfounded {}: {count} grids, {} areas ({})",
                founding.street_name,
                areas.len(),
                areas.join(", "),
                founding.street_name,
                areas.len(),
                areas.join(", "),
            ));
            Ok(())
        }
        Command::Serve { dir, listen, address, max_connections, max_per_address, device_rate, patience } => {
            let limits = Limits {
                connections_max: max_connections.max(1),
                connections_of_address_max: max_per_address.max(1),
                bytes_per_s: device_rate.clamp(1, 1 << 20) * 1024,
                patience: Duration::from_secs(patience.clamp(1, 3_600)),
                ..Limits::default()
            };
            run_serve(&dir, ServeOptions { listen, address, limits })
        }
        Command::Invite { dir, worker, role, unit, address, hours, qr } => {
            if !(hours > 0.0 && hours <= 24.0 * 365.0) {
                return Err(RelayError::Control(format!(
                    "有效期应在 0 到 8760 小时之间,给的是 {hours}\nthe term must lie between 0 and 8760 hours"
                )));
            }
            let invite = Invite {
                worker,
                role: role.parse::<Role>()?,
                unit: unit.parse::<Scope>()?,
                address,
                term_s: Some((hours * 3_600.0) as u64),
            };
            let line = ask(&dir, &Request::Invite(invite), || roster(&dir))?;
            let line = line.as_str().unwrap_or_default();
            say(line);
            if qr {
                show_qr(line)?;
            }
            Ok(())
        }
        Command::Recover { dir, request, worker } => {
            let answer = ask(&dir, &Request::Recover(request, worker), || roster(&dir))?;
            say(answer["answer"].as_str().unwrap_or_default());
            let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
            eprintln!(
                "请先核实本人:{} 的设备 {}\nmake sure who asks: the device {} of {}",
                text("worker"),
                text("device"),
                text("device"),
                text("worker"),
            );
            Ok(())
        }
        Command::Digest { dir } => {
            for line in ask(&dir, &Request::Digest, || roster(&dir))?.as_array().into_iter().flatten() {
                say(line.as_str().unwrap_or_default());
            }
            Ok(())
        }
        Command::Roster { dir, json, command } => {
            let dir = dir.ok_or_else(|| {
                RelayError::Control("请用 --dir 指明数据目录\nname the data directory with --dir".to_owned())
            })?;
            let answer = ask(&dir, &Request::Roster(command), || roster(&dir))?;
            if json {
                say(&answer["json"].to_string());
            } else {
                say(text(&answer, "text"));
            }
            Ok(())
        }
        Command::Quarantine { command } => quarantine(command),
        Command::Backup { dir, list: true, json, .. } => {
            let made = ask(&dir, &Request::Backups, || roster(&dir))?;
            if json {
                say(&made.to_string());
            } else {
                for backup in made.as_array().into_iter().flatten() {
                    let text = |name: &str| backup[name].as_str().unwrap_or_default().to_owned();
                    say(&format!("{}\t{}\t{}", backup["number"], text("file"), text("key")));
                }
            }
            Ok(())
        }
        Command::Backup { dir, to, key, json, .. } => {
            let to = absolute(&to.unwrap_or_default());
            let key = key.map_or_else(|| key_beside(&to), |key| absolute(&key));
            let contents = ask(&dir, &Request::Backup(to.clone(), key.clone()), || roster(&dir))?;
            told(
                &contents,
                json,
                &format!(
                    "已备份到 {},密钥在 {}(请分开保管)\nbacked up to {}; its key is {}: keep it elsewhere",
                    to.display(),
                    key.display(),
                    to.display(),
                    key.display()
                ),
            );
            Ok(())
        }
        Command::Restore { dir, from, key, json } => {
            let key = key.unwrap_or_else(|| key_beside(&from));
            let contents = restore(&dir, &from, &key)?;
            told(
                &serde_json::to_value(contents).unwrap_or_default(),
                json,
                &format!(
                    "已恢复到 {}。启动后只接收数据;中心的工作站同步一次之后才下发和裁决(没有工作站时:wangge-relay resume)\n\
                 restored to {}. It takes in only, until a workstation of the centre has synced (or: wangge-relay resume)",
                    dir.display(),
                    dir.display()
                ),
            );
            Ok(())
        }
        Command::Verify { from, key, json } => {
            let key = key.unwrap_or_else(|| key_beside(&from));
            let contents = verify(&from, &key)?;
            told(
                &serde_json::to_value(contents).unwrap_or_default(),
                json,
                &format!("备份 {} 完好\nthe backup {} is whole", from.display(), from.display()),
            );
            Ok(())
        }
        Command::Resume { dir } => {
            let resumed = ask(&dir, &Request::Resume, || roster(&dir))? == Value::Bool(true);
            say(if resumed {
                "已恢复下发和裁决\nserves and decides again"
            } else {
                "不在恢复状态,无需操作\nnothing to resume: this relay was not restored"
            });
            Ok(())
        }
        Command::Doctor { dir, repair, json } => doctor(&dir, repair, json),
        Command::Audit { command } => audit(command),
        Command::Reports { command } => reports(command),
        Command::SealKey { command: SealKeyCommand::Renew { dir } } => {
            let number = ask(&dir, &Request::RenewSealKey, || roster(&dir))?;
            say(&format!("已启用第 {number} 把密封密钥\nsealing key {number} is in use now"));
            Ok(())
        }
        Command::Unit { command: UnitCommand::List { dir } } => {
            for unit in ask(&dir, &Request::Units, || roster(&dir))?.as_array().into_iter().flatten() {
                let text = |at: usize| unit.get(at).and_then(Value::as_str).unwrap_or_default();
                say(&format!("{}\t{}", text(0), text(1)));
            }
            Ok(())
        }
        Command::Unit { command: UnitCommand::Add { dir, unit, name, area } } => {
            let scope: Scope = unit.parse()?;
            if matches!(scope, Scope::Area(_) | Scope::Street | Scope::Centre | Scope::Audit) {
                let found = unit;
                return Err(RelayError::Identity(IdentityError::Scope { found }));
            }
            let line = format!("已新增单位 {scope} {name}\nadded {scope}");
            ask(&dir, &Request::AddUnit(scope, name, area), || roster(&dir))?;
            say(&line);
            Ok(())
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn quarantine(command: QuarantineCommand) -> Result<(), RelayError> {
    let print = |json: bool, answer: &Value| {
        if json {
            return say(&answer.to_string());
        }
        match answer {
            Value::Array(entries) => {
                entries.iter().for_each(|entry| say(&quarantine::line(entry)));
                say(&format!("共 {} 条 / {0} positions", entries.len()));
            }
            entry => quarantine::lines(entry).iter().for_each(|line| say(line)),
        }
    };
    let settle = |args: SettleArgs, accept| {
        let SettleArgs { ids, device, all, reason, dir, json } = args;
        let choice = Choice { ids, device, all, accept, reason };
        ask(&dir, &Request::Settle(choice), || roster(&dir)).map(|answer| print(json, &answer))
    };
    match command {
        QuarantineCommand::List { dir, json } => {
            print(json, &ask(&dir, &Request::Quarantine, || roster(&dir))?);
            Ok(())
        }
        QuarantineCommand::Show { id, dir, json } => {
            print(json, &ask(&dir, &Request::Quarantined(id), || roster(&dir))?);
            Ok(())
        }
        QuarantineCommand::Accept(args) => settle(args, true),
        QuarantineCommand::Discard(args) => settle(args, false),
    }
}

fn audit(command: AuditCommand) -> Result<(), RelayError> {
    match command {
        AuditCommand::List { dir, since, json } => {
            let since_ms = since.as_deref().map_or(Ok(0), moment)?;
            let entries = ask(&dir, &Request::Audit(since_ms), || roster(&dir))?;
            if json {
                say(&entries.to_string());
                return Ok(());
            }
            for entry in entries.as_array().into_iter().flatten() {
                say(&command::audit::entry_line(entry));
            }
            Ok(())
        }
        AuditCommand::Verify { dir, json } => {
            let report = ask(&dir, &Request::VerifyAudit, || roster(&dir))?;
            let broken = report["broken"].as_array().cloned().unwrap_or_default();
            if json {
                say(&report.to_string());
            } else if broken.is_empty() {
                let (entries, series, cells) = (&report["entries"], &report["series"], &report["cells"]);
                say(&format!(
                    "审计链完好:{entries} 条,{series} 台设备的密封记录 {cells} 格\n\
                     the audit holds: {entries} entries; {cells} sealed cells of {series} devices"
                ));
            }
            match broken.first() {
                None => Ok(()),
                // The report is the answer.
                Some(_) if json => Err(RelayError::Unhealthy),
                Some(first) => {
                    let (chain, seq, reason) = (text(first, "chain"), &first["seq"], text(first, "reason"));
                    let more = broken.len() - 1;
                    Err(RelayError::Control(format!(
                        "审计链在 {chain} 第 {seq} 条处断开(另有 {more} 处)\n\
                         the audit is broken at entry {seq} of {chain}: {reason} (and {more} more chains)"
                    )))
                }
            }
        }
    }
}

fn doctor(dir: &Path, repair: bool, json: bool) -> Result<(), RelayError> {
    let answer = match ask(dir, &Request::Doctor(repair), || roster(dir)) {
        Err(RelayError::Replica(error)) if command::doctor::is_damage(&error) => {
            let answer = command::doctor::cannot_open(dir, &error);
            serde_json::json!({ "json": answer.json, "text": answer.text })
        }
        other => other?,
    };
    if json {
        say(&answer["json"].to_string());
    } else {
        say(text(&answer, "text"));
    }
    if command::doctor::is_healthy(&answer["json"]) { Ok(()) } else { Err(RelayError::Unhealthy) }
}

/// Reads a time from the command line, milliseconds since 1970 (UTC).
fn moment(typed: &str) -> Result<u64, RelayError> {
    let now_ms = World::now_ms(&System);
    wangge_node::command::instant::parse(typed, now_ms).ok_or_else(|| {
        RelayError::Control(format!(
            "时间“{typed}”无法识别,请按 2026-11-25 或 2026-11-25 10:05 的格式填写\n\
             the time cannot be read: write it as 2026-11-25 or 2026-11-25 10:05"
        ))
    })
}

fn reports(command: ReportsCommand) -> Result<(), RelayError> {
    match command {
        ReportsCommand::List { dir, json } => {
            let reports = ask(&dir, &Request::Reports, || roster(&dir))?;
            if json {
                say(&reports.to_string());
                return Ok(());
            }
            for report in reports.as_array().into_iter().flatten() {
                say(&format!("{}\t{}", report["number"], text(report, "taken")));
            }
            Ok(())
        }
        ReportsCommand::Show { dir, number, json } => {
            let report = ask(&dir, &Request::Report(number), || roster(&dir))?;
            if json {
                say(&report.to_string());
                return Ok(());
            }
            let worker = report["worker"].as_str().unwrap_or("匿名 / without a name");
            let whom = [text(&report, "scope"), text(&report, "whom")].join(" ");
            say(&format!("编号 / number:{number}\n举报人 / by:{worker}\n时间 / at:{}", text(&report, "at")));
            say(&format!("事由 / about:{} {}", text(&report, "about"), whom.trim()));
            say(text(&report, "text"));
            Ok(())
        }
    }
}

fn run_serve(dir: &Path, options: ServeOptions) -> Result<(), RelayError> {
    let control = |e: std::io::Error| RelayError::Control(e.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(control)?;
    runtime.block_on(async {
        let stop = wangge_node::stop_signal().map_err(control)?;
        serve(dir, options, |addr| say(&format!("社管中心已就绪 / listening on {addr}")), stop).await
    })
}

/// Shows the invitation as a QR code on standard error: standard output stays one line.
fn show_qr(line: &str) -> Result<(), RelayError> {
    let code = qrcode::QrCode::new(line.as_bytes()).map_err(|e| RelayError::Control(e.to_string()))?;
    let picture = code.render::<qrcode::render::unicode::Dense1x2>().quiet_zone(true).build();
    eprintln!("{picture}");
    Ok(())
}
