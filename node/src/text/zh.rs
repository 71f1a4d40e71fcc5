//! 中文.

mod audit;
mod case;
mod file;
mod photo;
pub(super) mod register;
mod roster;
pub(super) mod work;

use wangge_model::schema::Kind;
use wangge_model::verdict::VoidReason;

use super::{Message, Word, role_zh};
use crate::replica::{Event, Outcome, Trouble};

pub(super) fn word(word: Word) -> &'static str {
    match word {
        Word::Yes => "是",
        Word::No => "否",
        Word::Id => "标识",
        Word::Unit => "单位",
        Word::Delivery => "上传",
        Word::AtCentre => "已到中心",
        Word::BackedUp => "中心已备份",
        Word::AtArea => "已到片区",
        Word::OnlyHere => "已保存,待上传",
        Word::Centre => "社管中心",
        Word::HasConflict => "[有冲突]",
        Word::ByNumber => "写有此人号码",
        Word::ByName => "写有此人姓名",
        Word::ByLink => "引用此人",
        Word::History => "经过",
        Word::InAnOldValue => "(旧值,已改)",
        Word::Report => "上报",
        Word::Note => "记录",
        Word::People => "人口台账",
        Word::Places => "场所台账",
        Word::Cases => "事件台账",
        Word::Reading => "读取",
        Word::Saving => "保存",
        Word::Collecting => "整理",
        Word::Writing => "写入",
        Word::Syncing => "同步",
    }
}

pub(super) fn wrote(worker: &str, at: &str, value: &str) -> String {
    format!("{worker} 于 {at} 写 {value}")
}

/// A kind of document.
pub(super) fn kind(kind: Kind) -> String {
    match kind {
        Kind::PERSON => "人口档案".to_owned(),
        Kind::PLACE => "场所档案".to_owned(),
        Kind::CASE => "事件".to_owned(),
        Kind::UNIT => "单位".to_owned(),
        Kind::WORKER => "人员".to_owned(),
        Kind::REPLICA => "设备登记".to_owned(),
        Kind::POLICY => "名册规定".to_owned(),
        Kind::AUDIT_COPY => "审计副本".to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn reason(reason: VoidReason) -> &'static str {
    match reason {
        VoidReason::ScopeNotHeld => "本人的岗位不负责这个单位",
        VoidReason::Form => "内容不合格式",
        VoidReason::UnknownReplica => "中心没有这台设备的登记",
        VoidReason::NotTheRelay => "只有社管中心能作裁决",
        VoidReason::CentreOnly => "街道的内容只由社管中心填写",
        VoidReason::NotItsWorker => "署名的人员不使用这台设备",
        VoidReason::NoSuccessor => "接收人在本单位没有岗位",
        VoidReason::RoleMayNot => "本人的岗位不能办理",
        VoidReason::KindNotHere => "这类内容不属于这个单位",
        VoidReason::PostEnded => "本人在这个单位的岗位已经结束",
        VoidReason::PostNotYet => "本人在这个单位的岗位还没有开始",
        VoidReason::TooManyEpochs => "这台设备重置次数过多",
        VoidReason::Revoked => "这台设备已被注销,内容在隔离区等待处理",
        VoidReason::PastGrace => "过了宽限期才送到,内容在隔离区等待处理",
        VoidReason::Discarded => "社管中心已从隔离区剔除",
        VoidReason::QuarantineFull => "这台设备已被注销,隔离区已满",
        VoidReason::Unfit => "内容与本机已有的对不上,以社管中心的认定为准",
        VoidReason::NoTurn => "多人共用的设备上,没有经办人本人的签名",
        VoidReason::OtherUnit => "这个标识是其他单位的记录",
        _ => "新版本的规定",
    }
}

pub(super) fn say(message: &Message<'_>) -> String {
    match *message {
        Message::Roster(ref text) => roster::say(text),
        Message::Audit(ref text) => audit::say(text),
        Message::Work(ref text) => work::say(text),
        Message::Photo(ref text) => photo::say(text),
        Message::Register(ref message) => register::say(message),
        Message::Case(ref text) => case::say(text),
        Message::StoreLocked => "数据目录正被另一个程序使用,请稍后再试或先停止它".to_owned(),
        Message::StoreNewer => "数据由更新的版本写成,请升级本程序".to_owned(),
        Message::StoreForeign => "这个目录不是网格数据目录,请换一个目录".to_owned(),
        Message::StoreFull => "磁盘空间不足,没有保存。此前保存的内容都在,请腾出空间后再试".to_owned(),
        Message::StoreDamaged => "本机数据有损坏,请保留目录并联系管理员".to_owned(),
        Message::StoreFailed => {
            "此前有一次写盘失败,现在不能再保存。已报告保存的内容都在,排除故障后请重新启动".to_owned()
        }
        Message::StoreIo => "读写本机数据时出错,请检查磁盘和权限".to_owned(),
        Message::TooLarge => "一次保存的内容太多,请分几次保存".to_owned(),
        Message::MayNot { reason: why, what, scope, roles } => {
            let who: Vec<&str> = roles.iter().map(|role| role_zh(*role)).collect();
            let who = if who.is_empty() {
                String::new()
            } else {
                format!("。可以办理的岗位:{}", who.join("、"))
            };
            let what = if what.is_empty() { String::new() } else { format!("({what})") };
            format!("没有保存到 {scope}{what}:{}{who}", reason(why))
        }
        Message::Internal => "程序内部出错,没有保存".to_owned(),

        Message::Network => "网络出错。已保存的内容不受影响".to_owned(),
        Message::NeedsNetwork => "同步需要网络,请用 wangge sync".to_owned(),
        Message::DaemonDiffers => "后台程序与本命令版本不同,请重新启动后台程序 (wangge run)".to_owned(),
        Message::DaemonGone { reason } => {
            format!("后台程序在答复之前中断({reason}),请核对是否已保存后再试")
        }
        Message::Joined { street, worker, role_zh, unit, roster, .. } => {
            let next = if roster {
                ""
            } else {
                "。街道名册还没有收到,联网后请先同步 (wangge sync)"
            };
            format!("已加入{street}:{worker},{role_zh},{unit}{next}")
        }
        Message::Synced { in_sync, sent, received, documents, bytes, round_trips, elapsed_ms } => {
            let outcome = if in_sync { "已同步" } else { "尚未同步完" };
            format!(
                "{outcome}:上传 {sent} 笔,收到 {received} 笔、{documents} 份记录,{bytes} 字节,往返 {round_trips} 次,{elapsed_ms} 毫秒"
            )
        }
        Message::NoPinHere => {
            "本机没有设 PIN,拿到这台设备的人都能打开数据;请设置 PIN (wangge pin set)".to_owned()
        }
        Message::PinRequired => "街道规定这类设备必须设 PIN,设置之后才能使用 (wangge pin set)".to_owned(),
        Message::Running { dir } => format!("后台程序已启动:{dir}"),

        Message::DirMissing => "请用 --dir 指定数据目录,或设置环境变量 WANGGE_DIR".to_owned(),
        Message::BadUsage => "命令用法有误,请看 wangge --help".to_owned(),
        Message::UsageMissing { arguments } => format!("缺少 {arguments},没有保存。用法可加 --help 查看"),
        Message::UsageUnknown { argument, meant } => {
            let meant = if meant.is_empty() { String::new() } else { format!("是否想用“{meant}”?") };
            format!("没有“{argument}”这个命令或选项,没有保存。{meant}用法可加 --help 查看")
        }
        Message::UsageConflict { argument, other } if argument == other => {
            format!("{argument} 只能填写一次,没有保存;有几项的,写在一起,用顿号隔开")
        }
        Message::UsageConflict { argument, other } => {
            format!("{argument} 和 {other} 不能同时填写,没有保存。用法可加 --help 查看")
        }
        Message::UsageValue { argument, typed } => {
            format!("{argument} 的内容“{typed}”不正确,没有保存。用法可加 --help 查看")
        }
        Message::Output { reason } => format!("结果无法输出({reason})"),
        Message::FieldUnknown { typed, fields, .. } => format!("没有“{typed}”这一项。可用的项:{fields}"),
        Message::FieldTwice { field } => format!("“{field}”写了两次"),
        Message::NoEqualsSign { typed } => format!("“{typed}”应写成 项目=内容,例如 phone=13800000000"),
        Message::KindUnreadable { typed } => {
            format!("人口类型“{typed}”无法识别,请填户籍人口、流动人口或境外人员")
        }
        Message::StaffUnreadable { typed } => format!("从业人数“{typed}”不是人数,请填整数"),
        Message::DegreesUnreadable { typed } => format!("“{typed}”不是十进制度数,请按 118.570000 的格式填写"),
        Message::DatumUnreadable { typed } => format!("坐标系“{typed}”无法识别,请填 WGS-84 或 CGCS2000"),
        Message::LevelUnreadable { typed } => {
            format!("级别“{typed}”无法识别,请填 1 特别重大、2 重大、3 较大、4 一般")
        }
        Message::CoordinatesIncomplete => "经度和纬度要一起填写或一起清空".to_owned(),
        Message::TextTooLong { len, max } => format!("内容有 {len} 个字,上限 {max} 个,请缩短"),
        Message::TextMissing => "内容为空,请填写".to_owned(),
        Message::TimeUnreadable { typed } => {
            format!("时间“{typed}”(--at 等)无法识别或日期不存在,没有保存,请按 2025-11-22 10:05 的格式填写")
        }
        Message::TimeLongAgo { typed, earliest, days } => format!(
            "时间“{typed}”(--at)太早,没有保存:最早可补录 {days} 天前({earliest})的事项。若年份无误,请社管中心放宽事件规则的 back_days_max"
        ),
        Message::FileUnreadable { file, fault } => format!("文件 {file} 读不出来:{}", file::fault(fault)),
        Message::TimeAhead { typed } => format!("时间“{typed}”(--at)在将来,没有保存,请核对"),
        Message::ReasonMissing => "显示完整号码需要写明原因".to_owned(),
        Message::Extension { found } => format!("只能导出为 .xlsx 文件:{found}"),

        Message::UnitUnknown { typed, units } => format!("没有“{typed}”这个单位。本机负责:{units}"),
        Message::UnitAmbiguous { typed, units } => format!("“{typed}”可能是几个单位:{units},请写全称或代码"),
        Message::UnitNotHeld { typed, units } => format!("本机不负责 {typed}。本机负责:{units}"),
        Message::UnitMissing { units } => {
            format!("本机负责几个网格,请用 --unit 指明是哪一个:{units}")
        }
        Message::NoGridHeld => "本机不负责任何网格,不能登记".to_owned(),
        Message::NoUnitsYet => "本机还没有街道的网格名册,请联网同步一次 (wangge sync) 后再导入".to_owned(),
        Message::RowUnitUnknown { typed } => format!("所属村(居)“{typed}”不在街道的网格名册中,请改正"),
        Message::OtherUnit { from, to } => {
            format!("记录在 {from},不能直接改到 {to}:换网格要办移交")
        }

        Message::KeyAmbiguous { key } => format!("“{key}”对应几条记录,请写完整标识,或用 --unit 指明单位:"),
        Message::NotFound { key } => {
            format!("本机没有“{key}”。可用标识(至少前 6 位)、身份号码、信用代码或编号;也可用 find 查找")
        }
        Message::TurnOf { worker } => format!("已解锁,现在由 {worker} 使用"),
        Message::NotOfDevice { typed, worker } => {
            format!("“{typed}”不是本机的使用人员,没有保存。本机由 {worker} 使用")
        }
        Message::OtherTurn { worker } => {
            format!("现在由 {worker} 使用,换人请先运行 wangge switch --worker 姓名")
        }
        Message::PinIsSet => "已经设置过 PIN;要换新的,用 wangge pin change".to_owned(),
        Message::PinSet => "PIN 已设置。忘记了可请中心恢复:wangge pin recover".to_owned(),
        Message::PinRemoved => "PIN 已取消:能读到数据目录的人都能打开".to_owned(),
        Message::PinAsked => "PIN:".to_owned(),
        Message::NewPinAsked => "新 PIN:".to_owned(),
        Message::PinFile { file, reason } => format!("读不了 PIN 文件 {file}:{reason}"),
        Message::Locked => "已锁定".to_owned(),
        Message::Unlocked => "已解锁".to_owned(),
        Message::IsLocked => "本机已锁定,请输入 PIN:wangge unlock".to_owned(),
        Message::NoDaemon => "没有后台程序在运行,无需锁定或解锁".to_owned(),
        Message::RecoveryAsk => {
            "请把下面一行交给社管中心,中心核实本人后会给一行答复,再运行 wangge pin recover 答复".to_owned()
        }
        Message::EraseReasonMissing => "清除个人信息要写明理由:--reason".to_owned(),
        Message::EraseReasonTells => "理由会发到所有设备并长期保存,不能写姓名、号码、电话,请改写".to_owned(),
        Message::EraseOrdered { count } => {
            format!("已下达清除指令 {count} 条。各设备同步后执行,进度见 wangge erase status")
        }
        Message::EraseStatus { document, unit, at, reason, done, total, accepted } => {
            let state = if accepted { "" } else { ",待中心确认" };
            format!("{document} {unit} {at} {reason}:{done}/{total} 台已清除{state}")
        }
        Message::EraseNone => "没有清除指令".to_owned(),
        Message::DossierTitle { street, at } => {
            format!("{street} 个人信息副本(个人信息保护法第四十五条),制作于 {at}")
        }
        Message::DossierNow => "一、现有信息".to_owned(),
        Message::DossierHistory => "二、历次填写和修改".to_owned(),
        Message::DossierRecords { count } => format!("三、涉及本人的其他记录:{count} 份"),
        Message::EraseLook => {
            "清除的只是本人的记录;别的记录里写到的号码、姓名,用 wangge erase mentions 号码 查找".to_owned()
        }
        Message::EraseMentions { count: 0 } => "本机没有别的记录提到此人".to_owned(),
        Message::EraseMentions { count } => format!("另有 {count} 处提到此人,清除指令不会改动它们:"),
        Message::EraseMentionsStay => {
            "请有关人员逐条更正。更正后旧值仍留在该记录的历史里,事件(上报、备注等)不能改写;\
             界面和导出中的号码一律遮盖;同一居民在别的网格另有登记的,要另行清除"
                .to_owned()
        }
        Message::EraseWordsShort => "要查找的号码至少 6 位,姓名至少 2 个字".to_owned(),
        Message::DossierWritten { file } => format!("个人信息副本已写入 {file}"),
        Message::DossierPersonOnly => "只有实有人口有个人信息副本".to_owned(),
        Message::IdMissing => {
            "缺少 id_number=公民身份号码;境外人员可填 document_number=证件号码;确实都没有的,加 --no-id"
                .to_owned()
        }
        Message::AlreadyRegistered => "已经登记过,没有改动。要补充资料,请用 set,或加 --merge:".to_owned(),
        Message::AlsoRegistered { at } => format!("别处也有登记:{at}"),
        Message::LikelyMatches => "可能已经登记过,没有保存。确实是另一个的,加 --anyway:".to_owned(),
        Message::NumberTaken => "这个号码已登记在另一条记录,没有改动:".to_owned(),
        Message::Saved { name, id, created } => {
            let what = if created { "已登记" } else { "已保存" };
            format!("{what}:{name} ({id})")
        }
        Message::NothingChanged { name, id } => format!("没有变化:{name} ({id})"),
        Message::Listed { shown, total } if shown == total => format!("共 {total} 条"),
        Message::Listed { shown, total } => format!("共 {total} 条,列出 {shown} 条,用 --limit 可多列"),
        Message::Reported { number, id } => format!("已上报:{number} ({id})"),
        Message::Noted { number, id } => format!("已记录:{number} ({id})"),

        Message::NoConflict { label } => format!("“{}”没有冲突,不需要裁定。要改内容,请用 set", label.zh),
        Message::TakeRange { max } => format!("--take 应为 1 到 {max}:"),
        Message::ValueOrTake => "请用 --value 写明正确内容,或用 --take 选一个".to_owned(),
        Message::Settled { name, label, value } => format!("已裁定:{name} 的{label}为 {value}"),
        Message::ConflictsListed { count: 0 } => "没有冲突".to_owned(),
        Message::ConflictsListed { count } => {
            format!("共 {count} 处冲突。裁定:wangge conflicts settle 标识 项目 --take 序号")
        }

        Message::Who { street, code, worker, role_zh, unit, .. } => {
            format!("{street} {code}  {worker}  {role_zh}  {unit}")
        }
        Message::NotJoined => "加入尚未完成,请用同一邀请码再试 (wangge join)".to_owned(),
        Message::Held { scopes, documents, incomplete } => {
            let partial = match incomplete {
                0 => String::new(),
                n => format!(",其中 {n} 个还没有收全"),
            };
            format!("负责 {scopes} 个范围,{documents} 份记录{partial}")
        }
        Message::Unsent { unsent: 0 } => "全部已上传".to_owned(),
        Message::Unsent { unsent } => format!("未上传 {unsent} 条"),
        Message::OpenConflicts { conflicts } => {
            format!("有 {conflicts} 处冲突待裁定 (wangge conflicts list)")
        }
        Message::Healthy { transactions, documents } => {
            format!("数据完好:核对了 {transactions} 笔操作、{documents} 份记录")
        }
        Message::Unhealthy { found, repaired, asked, lost } => format!(
            "发现 {found} 处损坏:已修复 {repaired} 处,下次同步补回 {asked} 处,无法补回 {lost} 处,其余未处理 (加 --repair 修复)"
        ),
        Message::MetCentre { when, days: 0..=6 } => format!("上次与中心同步:{when}"),
        Message::MetCentre { when, days } => {
            format!(
                "上次与中心同步:{when},已有 {days} 天没有同步,请尽快联网 (长期不同步,邻近设备也会拒绝连接)"
            )
        }
        Message::Happened { when, what: Event::SetBack, transactions } => format!(
            "{when} 发现本机数据被恢复到了较早的状态 (如还原了备份),少了本机写的 {transactions} 笔。已重新编号,不会与以前的冲突;\
             上报过的联网同步后自动取回,没上报过的请到原设备或更新的备份里找"
        ),
        Message::Happened { when, what: Event::TookBack, transactions } => {
            format!("{when} 本机早先上报过的 {transactions} 笔已从对方取回,本机数据曾被恢复或损坏,已重新编号")
        }
        Message::Happened { when, what: Event::Forked, .. } => format!(
            "{when} 发现有两份本机数据在同时使用 (如克隆了硬盘)。两边写的都已保留,一笔不少;请停用其中一份,或用新邀请码重新加入"
        ),
        Message::RecordsApart { apart } => {
            format!("{apart} 份记录与对方不一致,请运行 wangge sync --verify 修复")
        }
        Message::Verified { compared: false, .. } => {
            "还没有核对:有内容正在传送或中心尚未处理,请稍后再试".to_owned()
        }
        Message::Verified { found: 0, .. } => "已与对方逐项核对,两边记录一致".to_owned(),
        Message::Verified { found, left: 0, .. } => {
            format!("核对发现 {found} 份记录与对方不一致,已重新生成,现在一致")
        }
        Message::Verified { found, left, .. } => format!(
            "核对发现 {found} 份记录与对方不一致,仍有 {left} 份没有修好,请告知社管中心 (wangge doctor 可查看是哪些)"
        ),
        Message::Damage { what, outcome, place, reason } => {
            let what = match what {
                Trouble::Store => "存储文件",
                Trouble::Profile => "本机身份",
                Trouble::Transaction => "操作日志",
                Trouble::Aside => "等待补回的日志",
                Trouble::LogEnd => "日志末尾",
                Trouble::Clock => "日志进度",
                Trouble::Document => "记录",
                Trouble::View => "列表数据",
                Trouble::Audit => "审计",
                Trouble::Key => "密钥",
                Trouble::Record => "其他数据",
                Trouble::Due => "待重新写入的内容",
            };
            let outcome = match outcome {
                Outcome::Found => "损坏",
                Outcome::Repaired => "已修复",
                Outcome::Asked => "下次同步时补回",
                Outcome::Lost => "本机无法补回",
            };
            format!("  {what} {place}:{outcome} ({reason})")
        }
        Message::CannotOpen { dir } => format!(
            "{dir} 打不开。请先保留整个目录的副本,不要删除;再用新的邀请码加入一个空目录 (wangge join),中心已有的数据会全部取回。\
             中心则从最近的备份恢复 (wangge-relay restore),各设备会把之后的数据补交上来"
        ),
        Message::ScopeLine { scope, documents, transactions, complete } => {
            let partial = if complete { "" } else { "  未收全" };
            format!("  {scope}  {documents} 份记录  {transactions} 笔{partial}")
        }

        Message::Imported { dry_run, rows, imported, updated, unchanged, skipped, refused } => {
            let what = if dry_run { "试导入(没有写入)" } else { "导入完成" };
            format!(
                "{what}:共 {rows} 行,新增 {imported},更新 {updated},无变化 {unchanged},其他单位 {skipped},退回 {refused}"
            )
        }
        Message::ImportConflicts { count } => format!("{count} 项有冲突未裁定,保持原样"),
        Message::ImportBrokenOff { done, total } => {
            format!("导入在第 {done}/{total} 条中断;之前的已保存,重新导入会接着进行")
        }
        Message::Finding { refused, row, message } => {
            let what = if refused { "退回" } else { "注意" };
            match row {
                0 => format!("  {what}:{message}"),
                row => format!("  {what} 第 {row} 行:{message}"),
            }
        }
        Message::More { more } => format!("  另有 {more} 条,用 --json 看全部"),
        Message::Exported { file, rows, conflicts, number } => {
            let open = match conflicts {
                0 => String::new(),
                n => format!(",其中 {n} 条有冲突,导出的是最新值"),
            };
            format!("已导出 {rows} 条到 {file},导出编号 {number}{open}")
        }
        Message::NoSealKey => "街道的密封密钥还没有收到,请先同步一次 (wangge sync) 再举报".to_owned(),
        Message::ReportSealed => "已密封,只有社管中心能拆看;下次同步时送出".to_owned(),
        Message::UnmaskOne => "完整号码只能逐条查看:请指明是哪一条记录".to_owned(),
        Message::UnmaskAll { roles } => {
            let who: Vec<&str> = roles.iter().map(|role| role_zh(*role)).collect();
            let who = who.join("、");
            format!(
                "整册导出完整号码只限向上级报送,由{who}办理;去掉 --unmask 可导出打码的名册,单条可用 show --unmask 查看"
            )
        }
        Message::Footer { number, worker, device, at, rows } => {
            format!(
                "导出编号:{number}  导出人:{worker}  设备:{device}  时间:{at}  共 {rows} 条  含个人信息,请妥善保管"
            )
        }
    }
}

/// What `--help` says; see [`super::help`].
pub(super) const HELP: &[(&str, &str)] = &[
    ("", "网格:离线优先的街道网格化管理"),
    ("join", "用邀请码加入街道"),
    ("run", "在后台运行:保持与中心同步"),
    ("digest", "各范围记录的摘要"),
    ("doctor", "检查本机数据是否完好。退出码:0 完好,1 有损坏 (含已修复的),2 用法错误"),
    ("doctor:repair", "修复能修复的,其余下次同步时补回"),
    ("status", "本机状态和未上传条数"),
    ("sync", "与中心同步一次"),
    ("sync:verify", "与对方逐项核对记录,修复不一致的"),
    ("report-sealed", "密封举报:只有社管中心能看到内容和举报人"),
    ("report-sealed:text", "举报内容"),
    ("report-sealed:about", "事由,如 作风、违法建筑"),
    ("report-sealed:person", "涉及的人:标识或身份号码"),
    ("report-sealed:anonymous", "不留举报人姓名"),
    ("import", "导入 Excel 台账"),
    ("export", "导出 Excel 台账"),
    ("person", "实有人口"),
    ("person add", "登记人员"),
    ("person set", "修改人员资料"),
    ("person show", "查看一人"),
    ("person list", "人员列表"),
    ("person find", "查找人员"),
    ("person dossier", "导出一人的全部信息副本(个人信息保护法第四十五条)"),
    ("person dossier:out", "写入的文件;不写则显示"),
    ("person dossier:reason", "谁要的、为什么,记入审计"),
    ("place dossier", "仅用于人员"),
    ("place dossier:out", "写入的文件"),
    ("place dossier:reason", "理由"),
    ("pin", "本机的 PIN"),
    ("pin set", "设置 PIN"),
    ("pin change", "更换 PIN"),
    ("pin remove", "取消 PIN"),
    ("pin recover", "忘记 PIN:向中心求助,用答复设新 PIN"),
    ("pin recover:answer", "中心的答复,WGA1-…;不写则生成请求"),
    (":new_pin_file", "写有新 PIN 的文件;也可用 WANGGE_NEW_PIN 或在终端输入"),
    (":pin_file", "写有 PIN 的文件;也可用 WANGGE_PIN 或在终端输入"),
    ("join:pin", "加入时设置 PIN,在终端输入"),
    ("run:idle_lock", "多少秒无操作后要求重新输入 PIN;多人共用的设备默认 900"),
    ("lock", "锁定后台程序,直到重新输入 PIN"),
    ("unlock", "输入 PIN 解锁后台程序;多人共用时用 --worker 说明是谁"),
    ("switch", "多人共用的设备:换成另一人使用"),
    (":me", "多人共用的设备:由谁操作,姓名;也可用 WANGGE_WORKER"),
    ("unlock:worker", "使用人姓名"),
    ("switch:worker", "使用人姓名"),
    ("erase", "清除一人的全部信息(中心)"),
    ("erase:person", "人员:编号(至少 6 位)或公民身份号码"),
    ("erase:reason", "理由,不能含个人信息"),
    ("erase:dry_run", "不清除,只列出还有哪些记录提到此人"),
    ("erase mentions", "哪些记录写有某个号码或姓名,改过的旧值也查"),
    ("erase mentions:words", "号码或姓名"),
    ("erase status", "哪些设备已清除,哪些还没有"),
    ("place", "场所、单位、企业"),
    ("place add", "登记场所"),
    ("place set", "修改场所资料"),
    ("place show", "查看一处场所"),
    ("place list", "场所列表"),
    ("place find", "查找场所"),
    ("case", "事件"),
    ("case report", "上报事件"),
    ("case note", "补充记录"),
    ("case photo", "照片"),
    ("case photo add", "添加照片"),
    ("case photo list", "照片列表,各到了哪里"),
    ("case photo save", "把一张照片存成文件"),
    ("photo", "记录的照片:事件、隐患、巡查、检查等"),
    ("photo add", "添加照片"),
    ("photo remove", "从记录撤除一张照片(添加的人、网格长或中心),各设备上销毁"),
    ("photo remove:number", "第几张,见 photo list"),
    ("photo remove:reason", "理由,留在记录里"),
    ("case photo remove", "从事件撤除一张照片(添加的人、网格长或中心),各设备上销毁"),
    ("case photo remove:number", "第几张,见 photo list"),
    ("case photo remove:reason", "理由,留在记录里"),
    ("photo list", "照片列表,各到了哪里;不写记录则列待传张数"),
    ("photo save", "把一张照片存成文件(计入审计)"),
    (":photo", "照片文件 (JPEG、PNG、WebP),可多张;拍摄地点等信息会去除"),
    ("photo save:to", "写到哪个文件"),
    ("case photo save:to", "写到哪个文件"),
    ("photo save:number", "第几张"),
    ("case photo save:number", "第几张"),
    ("case show", "查看一件"),
    ("case list", "事件列表,新的在前"),
    ("conflicts", "几个人同时改了同一项的,由人裁定"),
    ("conflicts list", "冲突列表"),
    ("conflicts settle", "裁定一处冲突"),
    (":dir", "数据目录;也可设环境变量 WANGGE_DIR"),
    (":json", "只输出 JSON"),
    (":invitation", "邀请码,以 WG1- 开头"),
    (":listen", "为邻近设备监听的地址,如 0.0.0.0:4434"),
    (":timeout_s", "最多同步多少秒"),
    (":peer", "不连中心,连邻近设备 HOST:PORT"),
    (":relay", "中心换了地址:现在的 HOST:PORT,连上并核对密钥后记住"),
    (":fields", "项目=内容;内容为空则删除"),
    (":key", "标识(至少前 6 位)、身份号码、信用代码或编号"),
    (":unit", "网格:grid:代码、12 位代码或村(社区)名"),
    (":merge", "号码已登记的,把资料补充到原记录"),
    (":no_id", "没有公民身份号码"),
    (":anyway", "有相似的记录也登记"),
    (":unmask", "显示完整号码的原因,记入审计"),
    ("conflicts list:key", "只看这一条记录:标识、身份号码、信用代码或编号"),
    (":limit", "最多列出多少条"),
    ("person find:text", "姓名、电话、住址的一部分,或号码的末几位"),
    ("place find:text", "名称、电话、地址的一部分,或代码的末几位"),
    ("import:kind", "哪种台账:residents 人口、places 场所"),
    ("import:file", "Excel、WPS 或 OpenDocument 工作簿"),
    ("export:file", "要写的 .xlsx 文件"),
    (":dry_run", "只试导入,不写入"),
    (":category", "业务线,如 安全生产、出租房消防"),
    (":text", "内容"),
    (":place", "所在场所的标识或信用代码"),
    (":person", "当事人的标识或身份号码"),
    (":level", "级别:1 特别重大 2 重大 3 较大 4 一般"),
    (":source", "来源,如 巡查、来电"),
    (":minor", "轻微事件"),
    (":at", "发生时间,如 2025-11-22 10:05;默认现在"),
    (":field", "项目,如 phone 或 联系电话"),
    (":value", "正确的内容"),
    (":take", "选列表中的第几个,从 1 起"),
    (":state", "只列这个状态的"),
    (":mine", "只列未办结且与我有关的:等我处理的、派给我的、我上报的"),
    (":overdue", "只列已超期的"),
    ("audit", "审计(只供审计管理员)"),
    ("audit list", "列出做过的事,最早的在前"),
    ("audit verify", "核对中心的审计链是否仍与本机副本相符,退出码 0 相符、1 不符"),
    ("audit list:since", "从何时起,如 2026-11-25"),
    ("roster", "名册:人员、岗位、设备"),
    ("roster list", "列出人员、岗位和设备"),
    ("roster assign", "派任岗位,或让人员使用一台设备"),
    ("roster leave", "结束岗位,或停用设备"),
    ("roster revoke", "注销丢失的设备,它下次连接时清除数据"),
    ("roster policy", "宽限天数、租期天数、隔离区和代存上限、是否必须设 PIN"),
    ("roster policy:carried_bytes", "邻近设备最多为一台设备代存多少字节中心尚未裁定的内容"),
    ("roster assign:worker", "人员姓名或标识"),
    ("roster assign:role", "岗位,如 网格长 或 grid-leader"),
    ("roster assign:unit", "单位:grid:代码、area:代码、team:代码、centre、street 或名称"),
    ("roster assign:from", "从何时起,如 2025-11-22;默认现在"),
    ("roster assign:until", "到何时止"),
    ("roster assign:device", "让此人使用的设备:名称或标识的前 6 位以上"),
    ("roster assign:new", "名册里没有此人,新增"),
    ("roster leave:worker", "人员姓名或标识"),
    ("roster leave:role", "只结束这个岗位"),
    ("roster leave:unit", "只结束在这个单位的岗位"),
    ("roster leave:device", "停用的设备;连同人员时只停此人使用"),
    ("roster leave:at", "何时结束,默认现在"),
    ("roster revoke:replica", "设备名称或标识的前 6 位以上"),
    ("roster revoke:worker", "此人的所有设备"),
    ("roster revoke:device", "只注销这个名称的设备"),
    ("roster revoke:reason", "原因"),
    ("roster policy:grace_days", "离岗前写的内容,离岗后多少天内仍接收"),
    ("roster policy:lease_days", "多少天没连中心的设备,邻近设备不再与它同步"),
    ("roster policy:pin_required", "网格、团队、窗口的设备是否必须设 PIN:yes 必须,no 可不设"),
    ("roster policy:quarantine_bytes", "每台注销设备的隔离区上限(字节)"),
    ("case close-on-spot", "当场办结(轻微类)"),
    ("case verify", "核实"),
    ("case register", "立案"),
    ("case reject", "不予受理"),
    ("case escalate", "上报上级"),
    ("case dispatch", "派遣"),
    ("case appoint-lead", "为多个团队指定牵头"),
    ("case accept", "接单"),
    ("case return", "退回"),
    ("case extend", "申请或同意延期"),
    ("case suspend", "申请或同意挂起"),
    ("case resume", "恢复"),
    ("case feedback", "处理反馈"),
    ("case check", "核查:通过或返工"),
    ("case evaluate", "评价"),
    ("case archive", "归档"),
    ("case urge", "催办"),
    ("case supervise", "督办"),
    ("case reopen", "重启"),
    ("case merge", "并案"),
    ("case due", "期限,及其由来"),
    ("case rules", "事件规则:业务线、时限、日历、并发规则"),
    ("case rules show", "查看现行规则"),
    ("case rules set", "发布新版规则"),
    (":to", "派给谁:单位(grid:、area:、team: 或名称)或人员"),
    (":reason", "理由"),
    (":refuse", "不同意申请"),
    (":days", "天数"),
    (":pass", "通过"),
    (":fail", "返工"),
    (":score", "评分,0 到 100"),
    (":into", "并入哪个事件"),
    (":explain", "逐行说明期限由来"),
    (":flagged", "只列需要中心查看的"),
    (":channel", "公众来源的渠道,如微信、微博"),
    (":approver", "批准人"),
    ("case rules set:file", "规则文件 (JSON)"),
];
