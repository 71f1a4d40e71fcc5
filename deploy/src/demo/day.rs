//! A working day, step by step, and what must hold after each.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use super::screen::Screen;
use super::street::{GRID, STREET, Street, VILLAGE, Who};

/// Steps of the whole demonstration: those of [`play`], one before and one after.
pub(crate) const STEPS: usize = 14;

/// An identity number that nobody has: region 990101 is not assigned.
const NEWCOMER: &str = "990101199001010019";
/// What the sample ledgers hold.
const TRUTH: &str = include_str!("../../sample/truth.json");

/// Plays the day in a street that has just been founded.
pub(crate) async fn play(street: &mut Street, screen: &mut Screen, seed: u64) -> Result<()> {
    everyone_joins(street, screen).await?;
    ledgers_come_in(street, screen).await?;
    let area_addr = first_syncs(street, screen).await?;
    let resident = edits_in_the_field(street, screen, seed).await?;
    the_same_newcomer_twice(street, screen).await?;
    let case = a_case(street, screen).await?;
    a_phone_is_killed(street, screen, &resident).await?;
    phone_meets_area_point(street, screen, &case, &area_addr).await?;
    the_relay_is_killed(street, screen).await?;
    everybody_is_back(street, screen, &resident, &case).await?;
    conflicts_are_settled(street, screen, &resident).await?;
    evening(street, screen).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The value shown for a field of a person or a case.
fn field<'a>(shown: &'a Value, name: &str) -> &'a str {
    text(&shown["fields"][name]["value"])
}

fn others(shown: &Value, name: &str) -> usize {
    shown["fields"][name]["others"].as_array().map_or(0, Vec::len)
}

async fn person(street: &Street, who: Who, key: &str) -> Result<Value> {
    street.ask(who, &["person", "show", key, "--unmask", "演示核对"]).await
}

async fn everyone_joins(street: &mut Street, screen: &mut Screen) -> Result<()> {
    screen
        .step(
            "发邀请码,五台设备加入:三台工作站,两部手机(信号差:往返 300 毫秒,丢包 5%)",
            "invitations; five replicas join: three workstations, two phones on a bad link (300 ms, 5 % loss)",
        )
        .await;
    for who in Who::ALL {
        let said = street.join(who).await?;
        screen.quote(said.lines().next().unwrap_or_default());
    }
    Ok(())
}

async fn ledgers_come_in(street: &mut Street, screen: &mut Screen) -> Result<()> {
    screen
        .step(
            "中心工作站导入人口和场所两本 Excel 台账(样例,含有错误的行)",
            "the centre imports two Excel ledgers: residents and places, with the flaws that ledgers have",
        )
        .await;
    street.run(Who::Centre, false).await?;
    let truth: Value = serde_json::from_str(TRUTH)?;
    let file = |name: &str| street.dir().join(format!("{name}.xlsx")).display().to_string();
    for (ledger, zh) in [("residents", "人口"), ("places", "场所")] {
        let path = file(ledger);
        let report = street.ask(Who::Centre, &["import", ledger, &path]).await?;
        let expected = &truth[ledger];
        let refused: BTreeSet<(u64, String)> =
            rows(&report["refused"], |row| (number(&row["row"]), text(&row["code"]).to_owned()));
        let flawed = rows(&expected["refused"], |row| (number(&row[0]), text(&row[1]).to_owned()));
        let (all, imported) = (number(&report["rows"]), number(&report["imported"]));
        screen.expect(
            all == number(&expected["rows"])
                && imported == number(&expected["distinct"])
                && refused == flawed,
            &format!("{zh}:{all} 行,{imported} 份档案,{} 行有误被退回并注明原因", refused.len()),
            &format!(
                "{ledger}: {all} rows, {imported} records, {} flawed rows refused with reasons",
                refused.len()
            ),
        );
        if let Some(first) = report["refused"].get(0) {
            screen.quote(&format!("{} 第 {} 行:{}", zh, number(&first["row"]), text(&first["message"])));
        }
    }
    let again = street.ask(Who::Centre, &["import", "residents", &file("residents")]).await?;
    screen.expect(
        number(&again["imported"]) + number(&again["updated"]) == 0 && number(&again["unchanged"]) > 0,
        "同一本台账再导一次:什么都不变",
        "the same ledger once more: nothing changes",
    );
    Ok(())
}

fn rows<T: Ord>(list: &Value, read: impl Fn(&Value) -> T) -> BTreeSet<T> {
    list.as_array().into_iter().flatten().map(read).collect()
}

async fn first_syncs(street: &mut Street, screen: &mut Screen) -> Result<String> {
    screen.step("首次同步:各取各的范围", "first syncs: each replica gets its own units and no other").await;
    street.sync(Who::Centre).await?;
    let area_addr = street.run(Who::Area, true).await?;
    street.run(Who::Desk, false).await?;
    for who in [Who::PhoneA, Who::PhoneB] {
        let report = street.sync(who).await?;
        screen.note(
            &format!(
                "{}:收到 {} 份档案,{} 字节,{} 次往返,{} 毫秒",
                who.zh(),
                number(&report["documents_received"]),
                number(&report["bytes_received"]),
                number(&report["round_trips"]),
                number(&report["elapsed_ms"]),
            ),
            &format!(
                "{}: {} documents, {} bytes, {} round trips, {} ms",
                who.en(),
                number(&report["documents_received"]),
                number(&report["bytes_received"]),
                number(&report["round_trips"]),
                number(&report["elapsed_ms"]),
            ),
        );
    }
    for who in Who::ALL {
        let equal = street.becomes_equal(who).await?;
        let scopes: BTreeSet<String> = street.digests(who).await?.into_keys().collect();
        let held = match who {
            Who::Centre => scopes.len() >= 9,
            Who::Area => scopes.iter().filter(|scope| scope.starts_with("grid:")).count() == 3,
            _ => scopes == BTreeSet::from(["street".to_owned(), format!("grid:{GRID}")]),
        };
        screen.expect(
            equal && held,
            &format!("{}:{} 个范围,与中心一致", who.zh(), scopes.len()),
            &format!("{}: {} scopes, equal to the relay's", who.en(), scopes.len()),
        );
    }
    Ok(area_addr)
}

async fn edits_in_the_field(street: &mut Street, screen: &mut Screen, seed: u64) -> Result<String> {
    screen
        .step(
            "下村,没有信号:两部手机改同一位居民,不同的栏和同一栏",
            "out in the village, no signal: both phones edit one resident, different fields and the same one",
        )
        .await;
    street.cut(Who::PhoneA)?;
    street.cut(Who::PhoneB)?;
    let list = street.ask(Who::PhoneA, &["person", "list", "--limit", "1"]).await?;
    let resident = text(&list[0]["id"]).to_owned();
    anyhow::ensure!(!resident.is_empty(), "no resident on phone A: {list}");
    let phone = |last: u64| format!("phone=1380000{:04}", (seed.wrapping_mul(7) + last) % 10_000);
    street.say(Who::PhoneA, &["person", "set", &resident, &phone(1), "employer=云溪五金厂"]).await?;
    street
        .say(Who::PhoneB, &["person", "set", &resident, &phone(2), "current_address=柳湾村委会88号"])
        .await?;
    for who in [Who::PhoneA, Who::PhoneB] {
        let shown = person(street, who, &resident).await?;
        screen.expect(
            text(&shown["delivery"]) == "here",
            &format!("{}:已保存在本机,还没有上传,照实显示", who.zh()),
            &format!("{}: saved here, not uploaded, and says so", who.en()),
        );
    }
    Ok(resident)
}

async fn the_same_newcomer_twice(street: &mut Street, screen: &mut Screen) -> Result<()> {
    screen
        .step(
            "两人各自登记同一位新住户",
            "both register the same newcomer, each without knowing of the other",
        )
        .await;
    let id = format!("id_number={NEWCOMER}");
    let at = |fields: &[&str]| -> Vec<String> {
        let mut args: Vec<String> = ["person", "add", "--unit", VILLAGE].map(str::to_owned).to_vec();
        args.extend([id.clone(), "name=赵新".to_owned()]);
        args.extend(fields.iter().map(|field| (*field).to_owned()));
        args
    };
    for (who, facts) in [
        (Who::PhoneA, at(&["phone=13800000077"])),
        (Who::PhoneB, at(&["employer=某木业公司", "current_address=柳湾村委会12号"])),
    ] {
        let args: Vec<&str> = facts.iter().map(String::as_str).collect();
        let said = street.say(who, &args).await?;
        screen.quote(&format!("{}:{}", who.worker(), said.lines().next().unwrap_or_default()));
    }
    Ok(())
}

async fn a_case(street: &mut Street, screen: &mut Screen) -> Result<String> {
    screen.step("手机甲上报一件事并记录两次", "phone A reports a case and adds two notes").await;
    let text_of = "沿河小餐饮店液化气瓶靠近灶台";
    let report = street
        .ask(Who::PhoneA, &["case", "report", "--unit", VILLAGE, "--category", "消防安全", "--text", text_of])
        .await?;
    let case = text(&report["id"]).to_owned();
    anyhow::ensure!(!case.is_empty(), "no id in {report}");
    for note in ["已当面劝告店主移开", "约定周五复查"] {
        street.say(Who::PhoneA, &["case", "note", &case, "--text", note]).await?;
    }
    let shown = street.ask(Who::PhoneA, &["case", "show", &case]).await?;
    let events = shown["events"].as_array().map_or(0, Vec::len);
    screen.expect(
        events == 3,
        &format!("事件 {}:上报一条,记录两条", text(&shown["number"])),
        &format!("case {}: one report, two notes", text(&shown["number"])),
    );
    Ok(case)
}

async fn a_phone_is_killed(street: &mut Street, screen: &mut Screen, resident: &str) -> Result<()> {
    screen
        .step(
            "手机甲:刚报告已保存就被强行结束 (SIGKILL),再打开",
            "phone A is killed (SIGKILL) the moment it reports a save, and opened again",
        )
        .await;
    street.run(Who::PhoneA, false).await?;
    street.say(Who::PhoneA, &["person", "set", resident, "note=周三下午在家"]).await?;
    street.kill(Who::PhoneA).await?;
    let shown = person(street, Who::PhoneA, resident).await?;
    screen.expect(
        field(&shown, "note") == "周三下午在家" && field(&shown, "employer") == "云溪五金厂",
        "报告过已保存的,一条不少",
        "all that it had reported as saved is there",
    );
    Ok(())
}

async fn phone_meets_area_point(
    street: &mut Street,
    screen: &mut Screen,
    case: &str,
    area_addr: &str,
) -> Result<()> {
    screen
        .step(
            "手机甲到东片片区点,在局域网里同步,不经过中心",
            "phone A meets the area point on the local network, without the relay",
        )
        .await;
    let report = street.meet(Who::PhoneA, Who::Area, area_addr).await?;
    let shown = street.ask(Who::PhoneA, &["case", "show", case]).await?;
    screen.expect(
        report["in_sync"] == true && text(&shown["delivery"]) == "area",
        &format!("已到片区:交出 {} 笔", number(&report["transactions_sent"])),
        &format!("at the area point: {} transactions handed over", number(&report["transactions_sent"])),
    );
    let forwarded = street.becomes_equal(Who::Area).await?;
    let seen = street.sees_at_centre(Who::Desk, case).await?;
    screen.expect(
        forwarded && seen,
        "片区点随即转交中心,网格工作站已看到这件事;手机甲仍没有信号",
        "the area point hands it on at once; the grid's desk sees the case while phone A has no signal yet",
    );
    Ok(())
}

async fn the_relay_is_killed(street: &mut Street, screen: &mut Screen) -> Result<()> {
    screen
        .step(
            "手机乙有了信号,上传;中心刚确认就被强行结束 (SIGKILL),再启动",
            "phone B is back in reach and uploads; the relay is killed (SIGKILL) right after it acknowledged",
        )
        .await;
    street.heal(Who::PhoneB)?;
    let report = street.sync(Who::PhoneB).await?;
    street.kill_relay().await?;
    let confirmed = person(street, Who::PhoneB, NEWCOMER).await?;
    let offline = street.try_say(Who::PhoneB, &["sync", "--timeout", "2"]).await?;
    screen.expect(
        report["in_sync"] == true && text(&confirmed["delivery"]) == "centre" && !offline.done,
        "手机乙显示已到中心;中心停机时同步明白报错",
        "phone B shows: at the centre; a sync without the relay says clearly that it cannot be reached",
    );
    screen.quote(&offline.err);
    street.serve().await?;
    let differing = street.differing(Who::PhoneB).await?;
    screen.expect(
        differing.is_empty(),
        "中心重新启动:确认过的都在",
        "the relay is back: all that it had acknowledged is there",
    );
    Ok(())
}

async fn everybody_is_back(
    street: &mut Street,
    screen: &mut Screen,
    resident: &str,
    case: &str,
) -> Result<()> {
    screen.step("大家都联上了", "everybody reconnects").await;
    street.heal(Who::PhoneA)?;
    for who in [Who::PhoneA, Who::PhoneB, Who::Desk, Who::Area, Who::Centre] {
        street.sync(who).await?;
    }
    for who in Who::ALL {
        let shown = person(street, who, resident).await?;
        let newcomer = person(street, who, NEWCOMER).await?;
        screen.expect(
            field(&shown, "employer") == "云溪五金厂"
                && field(&shown, "current_address") == "柳湾村委会88号"
                && others(&shown, "phone") == 1
                && field(&newcomer, "phone") == "13800000077"
                && field(&newcomer, "employer") == "某木业公司"
                && others(&newcomer, "name") == 0,
            &format!("{}:不同的栏都在,同一栏两个说法都在;新住户是一份档案,两人写的都在", who.zh()),
            &format!(
                "{}: different fields merged, both values of the same field shown; one newcomer, both workers' facts",
                who.en()
            ),
        );
    }
    street.say(Who::Desk, &["case", "note", case, "--text", "网格长:周五同去"]).await?;
    Ok(())
}

async fn conflicts_are_settled(street: &mut Street, screen: &mut Screen, resident: &str) -> Result<()> {
    screen
        .step("网格长看冲突,当面问过后定下来", "the grid leader sees the conflict in words and settles it")
        .await;
    screen.quote(&street.say(Who::Desk, &["conflicts", "list"]).await?);
    let said = street.say(Who::Desk, &["conflicts", "settle", resident, "phone", "--take", "1"]).await?;
    screen.quote(&said);
    for who in [Who::Desk, Who::Area, Who::Centre, Who::PhoneA, Who::PhoneB] {
        street.sync(who).await?;
    }
    for who in Who::ALL {
        let open = street.ask(who, &["conflicts", "list"]).await?;
        screen.expect(
            open.as_array().is_some_and(Vec::is_empty),
            &format!("{}:没有未决的冲突", who.zh()),
            &format!("{}: no open conflict", who.en()),
        );
    }
    Ok(())
}

async fn evening(street: &mut Street, screen: &mut Screen) -> Result<()> {
    screen.step("中心导出人口台账交上级", "the centre exports the residents' ledger for its superiors").await;
    let file = street.dir().join("people.xlsx");
    let path = file.to_str().context("the directory's name is not UTF-8")?;
    let said = street.say(Who::Centre, &["export", "people", path, "--unmask", "交上级"]).await?;
    screen.quote(said.lines().next().unwrap_or_default());
    screen.expect(
        std::fs::metadata(&file).is_ok_and(|file| file.len() > 0),
        &format!("{}人口台账已写好", STREET.1),
        "the ledger is written",
    );
    Ok(())
}
