//! The street on this machine: the relay, five replicas, and the links between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use wangge_link::{Link, LinkConfig};

use super::process::{self, Said, Server};
use crate::child::Role;

/// Code and name of the street: invented, like all codes of region 990101.
pub(crate) const STREET: (&str, &str) = ("990101001", "云溪街道");
/// The grid where the phones work.
pub(crate) const GRID: &str = "990101001201";
/// Its village.
pub(crate) const VILLAGE: &str = "柳湾村委会";

const DIVISIONS: &[u8] = include_bytes!("../../sample/divisions.csv");
const RESIDENTS: &[u8] = include_bytes!("../../sample/residents.xlsx");
const PLACES: &[u8] = include_bytes!("../../sample/places.xlsx");

/// How long a condition may take to come true.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(100);

/// The village's signal: 300 ms there and back, one datagram in twenty lost, each way.
const PHONE_LINK: LinkConfig = LinkConfig {
    rtt_ms: 300,
    loss: 0.05,
    up_bits_per_s: None,
    down_bits_per_s: None,
    queue_bytes_max: wangge_link::QUEUE_BYTES_MAX,
    reorder: 0.0,
    duplicate: 0.0,
    seed: 0,
};
/// The office's cable.
const OFFICE_LINK: LinkConfig = LinkConfig { rtt_ms: 4, loss: 0.0, ..PHONE_LINK };

/// Who takes part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Who {
    /// The centre's workstation.
    Centre,
    /// The point of the eastern area.
    Area,
    /// The grid's workstation.
    Desk,
    /// The first phone.
    PhoneA,
    /// The second phone.
    PhoneB,
}

impl Who {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Centre, Self::Area, Self::Desk, Self::PhoneA, Self::PhoneB];

    /// Its directory, its names, its worker, post and unit.
    fn cast(self) -> (&'static str, &'static str, &'static str, &'static str, &'static str, String) {
        let grid = format!("grid:{GRID}");
        match self {
            Self::Centre => ("centre", "中心工作站", "centre", "周敏", "centre-admin", "centre".to_owned()),
            Self::Area => ("area", "东片片区点", "area point", "吴强", "area-clerk", "area:东片".to_owned()),
            Self::Desk => ("desk", "网格工作站", "grid desk", "陈丽", "grid-leader", grid),
            Self::PhoneA => ("phone-a", "手机甲", "phone A", "李明", "grid-worker", grid),
            Self::PhoneB => ("phone-b", "手机乙", "phone B", "王芳", "grid-worker", grid),
        }
    }

    /// Its Chinese name.
    pub(crate) fn zh(self) -> &'static str {
        self.cast().1
    }

    /// Its English name.
    pub(crate) fn en(self) -> &'static str {
        self.cast().2
    }

    /// Its worker.
    pub(crate) fn worker(self) -> &'static str {
        self.cast().3
    }

    /// Its worker's post.
    pub(crate) fn role(self) -> &'static str {
        self.cast().4
    }

    /// Whether it is a phone: commands on a bad link instead of a server on a cable.
    pub(crate) fn is_phone(self) -> bool {
        matches!(self, Self::PhoneA | Self::PhoneB)
    }
}

/// What a replica has on its account.
#[derive(Debug)]
struct Member {
    dir: String,
    log: PathBuf,
    link: Link,
    server: Option<Server>,
    syncs: u64,
    round_trips: u64,
    /// Exchanged with neighbours, past the link to the relay.
    beside: (u64, u64),
}

/// A replica's day in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// Bytes of UDP payload that it sent.
    pub(crate) sent: u64,
    /// Bytes of UDP payload sent to it.
    pub(crate) received: u64,
    /// Syncs asked for.
    pub(crate) syncs: u64,
    /// Round trips of these.
    pub(crate) round_trips: u64,
    /// Datagrams of its link that were lost.
    pub(crate) lost: u64,
}

/// The street.
pub(crate) struct Street {
    dir: PathBuf,
    relay: Option<Server>,
    relay_addr: SocketAddr,
    members: BTreeMap<Who, Member>,
    seed: u64,
}

/// A path as an argument.
fn argument(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{}: not UTF-8", path.display()))
}

impl Street {
    /// Founds the street in `dir` and starts its relay.
    pub(crate) async fn found(dir: &Path, seed: u64) -> Result<(Self, String)> {
        for (name, bytes) in
            [("divisions.csv", DIVISIONS), ("residents.xlsx", RESIDENTS), ("places.xlsx", PLACES)]
        {
            std::fs::write(dir.join(name), bytes).with_context(|| dir.join(name).display().to_string())?;
        }
        std::fs::create_dir_all(dir.join("logs"))?;
        let (relay, divisions) = (argument(&dir.join("relay"))?, argument(&dir.join("divisions.csv"))?);
        let (code, name) = STREET;
        let args = [
            "init",
            "--dir",
            &relay,
            "--street-code",
            code,
            "--street-name",
            name,
            "--divisions",
            &divisions,
        ];
        let said = process::do_call(Role::Relay, &args).await?;
        let nowhere = ([127, 0, 0, 1], 0).into();
        let mut street =
            Self { dir: dir.to_owned(), relay: None, relay_addr: nowhere, members: BTreeMap::new(), seed };
        street.serve().await?;
        Ok((street, said))
    }

    /// Starts the relay, where it was before if it was started before.
    pub(crate) async fn serve(&mut self) -> Result<()> {
        let (dir, listen) = (argument(&self.dir.join("relay"))?, self.relay_addr.to_string());
        let args = ["serve", "--dir", &dir, "--listen", &listen];
        let log = self.dir.join("logs/relay.log");
        let (server, rest) = Server::start(Role::Relay, &args, &log, Some("listening on ")).await?;
        self.relay_addr = rest.parse().with_context(|| format!("listening on {rest:?}"))?;
        self.relay = Some(server);
        Ok(())
    }

    /// Where the relay listens.
    pub(crate) fn relay_addr(&self) -> SocketAddr {
        self.relay_addr
    }

    /// SIGKILL for the relay.
    pub(crate) async fn kill_relay(&mut self) -> Result<()> {
        self.relay.take().context("no relay runs")?.kill().await
    }

    /// A command of the relay that must be done.
    async fn relay(&self, args: &[&str]) -> Result<String> {
        let dir = argument(&self.dir.join("relay"))?;
        process::do_call(Role::Relay, &[args, &["--dir", &dir]].concat()).await
    }

    /// Invites a worker and joins with the invitation, over the replica's own link.
    pub(crate) async fn join(&mut self, who: Who) -> Result<String> {
        let (name, _, _, worker, role, unit) = who.cast();
        let seed = self.seed.wrapping_add(who as u64);
        let config = LinkConfig { seed, ..if who.is_phone() { PHONE_LINK } else { OFFICE_LINK } };
        let link = Link::start(self.relay_addr, config).await?;
        let address = link.addr().to_string();
        let args = ["invite", "--worker", worker, "--role", role, "--unit", &unit, "--address", &address];
        let invitation = self.relay(&args).await?;
        let dir = argument(&self.dir.join(name))?;
        let log = self.dir.join(format!("logs/{name}.log"));
        let account = Member { dir, log, link, server: None, syncs: 0, round_trips: 0, beside: (0, 0) };
        self.members.insert(who, account);
        self.say(who, &["join", invitation.trim()]).await
    }

    fn member(&self, who: Who) -> Result<&Member> {
        self.members.get(&who).with_context(|| format!("{} has not joined", who.en()))
    }

    fn member_mut(&mut self, who: Who) -> Result<&mut Member> {
        self.members.get_mut(&who).with_context(|| format!("{} has not joined", who.en()))
    }

    /// The directory of the street.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts the daemon of a replica and waits until it takes commands. With `listen`, returns where it
    /// listens for neighbours.
    pub(crate) async fn run(&mut self, who: Who, listen: bool) -> Result<String> {
        let member = self.member(who)?;
        let (dir, log) = (member.dir.clone(), member.log.clone());
        let mut args = vec!["run", "--dir", &dir];
        if listen {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        let until = listen.then_some("listening on ");
        let (mut server, rest) = Server::start(Role::Node, &args, &log, until).await?;
        let deadline = Instant::now() + WAIT_MAX;
        while !wangge_node::control::is_served(Path::new(&dir)) {
            if !server.runs() || Instant::now() > deadline {
                bail!("{} 没有就绪 / {} is not ready\n{}", who.zh(), who.en(), server.log_tail());
            }
            tokio::time::sleep(LOOK).await;
        }
        self.member_mut(who)?.server = Some(server);
        Ok(rest)
    }

    /// SIGKILL for a daemon.
    pub(crate) async fn kill(&mut self, who: Who) -> Result<()> {
        let server = self.member_mut(who)?.server.take();
        server.with_context(|| format!("{} does not run", who.en()))?.kill().await
    }

    /// A command on a replica, whatever comes of it.
    pub(crate) async fn try_say(&self, who: Who, args: &[&str]) -> Result<Said> {
        let member = self.member(who)?;
        process::call(Role::Node, &[args, &["--dir", &member.dir]].concat()).await
    }

    /// A command on a replica that must be done; its words.
    pub(crate) async fn say(&self, who: Who, args: &[&str]) -> Result<String> {
        let member = self.member(who)?;
        process::do_call(Role::Node, &[args, &["--dir", &member.dir]].concat())
            .await
            .with_context(|| format!("{} / {}", who.zh(), who.en()))
    }

    /// A command on a replica that must be done; its answer for programs.
    pub(crate) async fn ask(&self, who: Who, args: &[&str]) -> Result<Value> {
        let out = self.say(who, &[args, &["--json"]].concat()).await?;
        serde_json::from_str(&out).with_context(|| format!("wangge {}: {out:?}", args.join(" ")))
    }

    /// One sync with the relay; it may take a second attempt where datagrams are lost.
    pub(crate) async fn sync(&mut self, who: Who) -> Result<Value> {
        self.sync_with(who, None).await
    }

    /// One sync of `who` with the neighbour that listens at `addr`, past the relay.
    pub(crate) async fn meet(&mut self, who: Who, other: Who, addr: &str) -> Result<Value> {
        let report = self.sync_with(who, Some(addr)).await?;
        let number = |key: &str| report[key].as_u64().unwrap_or(0);
        let (sent, received) = (number("bytes_sent"), number("bytes_received"));
        for (member, sent, received) in [(who, sent, received), (other, received, sent)] {
            let beside = &mut self.member_mut(member)?.beside;
            *beside = (beside.0 + sent, beside.1 + received);
        }
        Ok(report)
    }

    async fn sync_with(&mut self, who: Who, peer: Option<&str>) -> Result<Value> {
        let mut args = vec!["sync"];
        args.extend(peer.iter().flat_map(|addr| ["--peer", addr]));
        let report = match self.ask(who, &args).await {
            Ok(report) => report,
            Err(_) if peer.is_none() => self.ask(who, &args).await?,
            Err(error) => return Err(error),
        };
        let member = self.member_mut(who)?;
        member.syncs += 1;
        member.round_trips += report["round_trips"].as_u64().unwrap_or(0);
        Ok(report)
    }

    /// Out of reach of the relay.
    pub(crate) fn cut(&self, who: Who) -> Result<()> {
        self.member(who)?.link.cut();
        Ok(())
    }

    /// Back in reach.
    pub(crate) fn heal(&self, who: Who) -> Result<()> {
        self.member(who)?.link.heal();
        Ok(())
    }

    /// Digest lines of the relay, by scope.
    pub(crate) async fn relay_digests(&self) -> Result<BTreeMap<String, String>> {
        Ok(by_scope(&self.relay(&["digest"]).await?))
    }

    /// Digest lines of a replica, by scope.
    pub(crate) async fn digests(&self, who: Who) -> Result<BTreeMap<String, String>> {
        Ok(by_scope(&self.say(who, &["digest"]).await?))
    }

    /// The scopes of a replica in which it does not hold what the relay does.
    pub(crate) async fn differing(&self, who: Who) -> Result<BTreeSet<String>> {
        let at_relay = self.relay_digests().await?;
        let here = self.digests(who).await?;
        if here.is_empty() {
            bail!("{} holds nothing", who.en());
        }
        Ok(here
            .into_iter()
            .filter(|(scope, line)| at_relay.get(scope) != Some(line))
            .map(|(s, _)| s)
            .collect())
    }

    /// Waits until the live sessions have made a replica equal to the relay.
    pub(crate) async fn becomes_equal(&self, who: Who) -> Result<bool> {
        comes_true(async || Ok(self.differing(who).await?.is_empty())).await
    }

    /// Waits until a replica shows that a case is on the disk of the relay.
    pub(crate) async fn sees_at_centre(&self, who: Who, case: &str) -> Result<bool> {
        comes_true(async || {
            let said = self.try_say(who, &["case", "show", case, "--json"]).await?;
            let shown: Option<Value> = serde_json::from_str(&said.out).ok();
            Ok(shown.is_some_and(|shown| shown["delivery"] == "centre"))
        })
        .await
    }

    /// What a replica's day came to.
    pub(crate) fn account(&self, who: Who) -> Result<Account> {
        let member = self.member(who)?;
        let stats = member.link.stats();
        Ok(Account {
            sent: stats.up_bytes + member.beside.0,
            received: stats.down_bytes + member.beside.1,
            syncs: member.syncs,
            round_trips: member.round_trips,
            lost: stats.lost,
        })
    }

    /// Stops all servers in order. Returns those that did not.
    pub(crate) async fn close(&mut self) -> Result<Vec<&'static str>> {
        let mut unruly = Vec::new();
        for (who, member) in &mut self.members {
            if let Some(server) = member.server.take()
                && !server.stop().await?
            {
                unruly.push(who.en());
            }
        }
        if let Some(server) = self.relay.take()
            && !server.stop().await?
        {
            unruly.push("relay");
        }
        Ok(unruly)
    }
}

/// Looks until `holds` does, or for as long as a condition may take.
async fn comes_true(holds: impl AsyncFn() -> Result<bool>) -> Result<bool> {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        if holds().await? {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn by_scope(lines: &str) -> BTreeMap<String, String> {
    lines
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(scope, _)| (scope.to_owned(), line.to_owned())))
        .collect()
}
