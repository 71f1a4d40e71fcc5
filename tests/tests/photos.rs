//! Photos of records: they come after the records, whole or not at all, go where the record goes and no further,
//! and go when the resident of whom the record speaks is erased.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wangge_model::identity::{Role, Scope};
use wangge_model::photo::{PIECE_LEN_BYTES, PhotoFrame, PhotoFrames, PhotoId, PhotoRef};
use wangge_model::schema::Kind;
use wangge_node::replica::photos::{PhotoState, Taken};
use wangge_tests::hostile::Hostile;
use wangge_tests::street::{Relay, Worker, grid};

const PERSON: &str = "990101199001010019";

/// A picture of some length, with a place in its Exif, that looks like no other of another `seed`.
fn picture(len_bytes: usize, seed: u64) -> Vec<u8> {
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0GPS 28.7N 118.6E";
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1];
    bytes.extend_from_slice(&u16::try_from(exif.len() + 2).expect("short").to_be_bytes());
    bytes.extend_from_slice(exif);
    bytes.extend_from_slice(&[0xff, 0xda, 0, 2]);
    let mut state = seed | 1;
    while bytes.len() < len_bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // No byte that means something within a picture.
        bytes.push((state >> 56) as u8 & 0x7f);
    }
    bytes.extend_from_slice(&[0xff, 0xd9]);
    bytes
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("writes");
    path.display().to_string()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(dir).map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect());
    entries.unwrap_or_default()
}

/// The only photo of a record.
fn photo_of(worker: &Worker, scope: &Scope, id: &str) -> PhotoId {
    let listed = worker.run(&["photo", "list", id]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let hash = listed[0]["hash"].as_str().expect("a hash").parse().expect("reads");
    PhotoId { scope: scope.clone(), doc: id.parse().expect("an id"), hash }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_follows_its_record_and_leaves_the_place_where_it_was_taken_behind() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let cleo = Worker::join(&dir.path().join("cleo"), &relay.invite("克", Role::GridWorker, &grid(1))).await;
    for worker in [&ana, &ben, &cleo] {
        worker.sync().await;
    }
    let taken = picture(3 * PIECE_LEN_BYTES + 1_000, 7);
    let file = write(dir.path(), "楼道.jpg", &taken);
    let case = ana.run(&["case", "report", "--category", "安全生产", "--text", "楼道堆物", "--photo", &file]);
    let id = case["id"].as_str().expect("an id");
    assert_eq!(ana.run(&["photo", "list", id])[0]["state"], "here");
    assert_eq!(ana.run(&["status"])["photos_unsent"], 1);
    for path in files(&dir.path().join("ana/photos")) {
        let sealed = std::fs::read(path).expect("reads");
        assert!(!sealed.windows(16).any(|part| part == &taken[1_000..1_016]), "a photo lies there in clear");
    }

    let report = ana.sync().await;
    assert_eq!((report.photos_unsent, report.photos_missing), (0, 0), "{report:?}");
    assert_eq!(ana.run(&["photo", "list", id])[0]["state"], "centre");
    let report = ben.sync().await;
    assert_eq!((report.photos_unsent, report.photos_missing), (0, 0), "{report:?}");
    assert_eq!(ben.run(&["photo", "list", id])[0]["state"], "centre");
    let out = dir.path().join("out.jpg").display().to_string();
    ben.run(&["case", "photo", "save", id, "1", "--to", &out]);
    let saved = std::fs::read(&out).expect("reads");
    assert!(!saved.windows(3).any(|part| part == b"GPS"), "the place went along");
    assert!(saved.ends_with(&taken[taken.len() - 3 * PIECE_LEN_BYTES..]));
    assert_eq!(
        ben.try_run(&["photo", "save", id, "1", "--to", &out]).expect_err("is there").code,
        "photo-exists"
    );

    // Another grid gets nothing of it.
    cleo.sync().await;
    assert!(files(&dir.path().join("cleo/photos")).is_empty());
    // Nothing to say about photos: not even a stream.
    let quiet = ben.sync().await;
    assert!(quiet.bytes_sent + quiet.bytes_received < 12_000, "{quiet:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_photo_is_refused_and_nothing_of_it_stays() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let at = dir.path().join("ana");
    let ana = Worker::join(&at, &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let good = write(dir.path(), "good.jpg", &picture(2_000, 1));
    let cut = write(dir.path(), "cut.jpg", &picture(2_000, 1)[..900]);
    let long = write(dir.path(), "long.jpg", &picture(9 << 20, 1));
    let text = write(dir.path(), "text.jpg", "不是照片".as_bytes());
    let empty = write(dir.path(), "empty.jpg", b"");
    let nowhere = dir.path().join("没有").display().to_string();
    let directory = dir.path().display().to_string();
    let bad = [
        (&cut, "photo-damaged"),
        (&long, "photo-long"),
        (&text, "photo-form"),
        (&empty, "photo-empty"),
        (&nowhere, "photo-unreadable"),
        (&directory, "photo-form"),
    ];
    for (file, code) in bad {
        // The good one beside it does not stay either.
        let words = [
            "case",
            "report",
            "--category",
            "安全生产",
            "--text",
            "楼道堆物",
            "--photo",
            &good,
            "--photo",
            file,
        ];
        let error = ana.try_run(&words).expect_err(file);
        assert_eq!(error.code, code);
        let (zh, en) = error.message.split_once('\n').expect("both languages");
        assert!(!zh.is_ascii() && en.contains("nothing was saved"), "{}", error.message);
    }
    assert_eq!(ana.run(&["case", "list"]).as_array().map(Vec::len), Some(0));
    assert!(files(&at.join("photos")).is_empty());

    let hazard = ana.run(&["hazard", "add", "--text", "电线老化", "--kind", "消防", "--photo", &good]);
    let id = hazard["id"].as_str().expect("an id");
    assert_eq!(ana.run(&["photo", "list", id]).as_array().map(Vec::len), Some(1));
    ana.run(&["photo", "add", id, &write(dir.path(), "after.jpg", &picture(2_000, 2)), "--text", "整改后"]);
    assert_eq!(ana.run(&["photo", "list", id]).as_array().map(Vec::len), Some(2));
    ana.run(&["person", "add", PERSON, "name=张三"]);
    assert_eq!(ana.try_run(&["photo", "add", PERSON, &good]).expect_err("no portraits").code, "photo-of");

    // A crash between the picture and the record leaves nothing for ever.
    let stray = PhotoId {
        scope: grid(0),
        doc: id.parse().expect("an id"),
        hash: wangge_model::identity::Hash([7; 32]),
    };
    let photo = PhotoRef::of(&picture(2_000, 3)).expect("a photo");
    ana.replica.keep_photo(&stray, &photo, &picture(2_000, 3)).expect("keeps");
    assert_eq!(files(&at.join("photos")).len(), 3);
    drop(ana);
    let ana = Worker::open(&at);
    assert_eq!(files(&at.join("photos")).len(), 2);
    assert_eq!(ana.run(&["photo", "list", id]).as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_broke_off_goes_on_where_it_was_and_a_wrong_one_goes() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let at = dir.path().join("ben");
    let ben = Worker::join(&at, &relay.invite("本", Role::GridWorker, &grid(0))).await;
    let file = write(dir.path(), "a.jpg", &picture(5 * PIECE_LEN_BYTES, 9));
    let case = ana.run(&["case", "report", "--category", "安全生产", "--text", "楼道堆物", "--photo", &file]);
    let id = case["id"].as_str().expect("an id");
    let photo = photo_of(&ana, &grid(0), id);
    ana.sync().await;
    // The record alone, as on a line that breaks after it.
    let run = ana.replica.load_from(&grid(0), &ana.log(&grid(0)), 1).expect("loads");
    assert!(ben.replica.ingest(&grid(0), run).expect("takes in").misfits.is_empty());
    ben.settle();
    assert_eq!(ben.run(&["status"])["photos_missing"], 1);
    let piece = |at: usize| ana.replica.photo_piece(&photo, at).expect("reads").expect("there");
    let mut arriving = ben.replica.begin_photo(&photo).expect("begins").expect("is wanted");
    for at in 0..2 {
        assert_eq!(ben.replica.take_piece(&mut arriving, &piece(at)).expect("takes"), Taken::More);
    }
    drop((arriving, ben));
    let ben = Worker::open(&at);
    let mut arriving = ben.replica.begin_photo(&photo).expect("begins").expect("is wanted");
    assert_eq!(arriving.next(), 2, "what came before is asked for again");
    // A peer that goes on with something else.
    let mut bent = piece(2);
    bent[7] ^= 1;
    assert_eq!(ben.replica.take_piece(&mut arriving, &bent).expect("takes"), Taken::More);
    for at in 3..4 {
        assert_eq!(ben.replica.take_piece(&mut arriving, &piece(at)).expect("takes"), Taken::More);
    }
    let last = ben.replica.take_piece(&mut arriving, &piece(4)).expect("takes");
    assert_eq!((last, files(&at.join("photos")).len()), (Taken::Wrong, 0));
    ben.sync().await;
    assert_eq!(ben.replica.photo_state(&photo).expect("reads"), PhotoState::Centre);
    // A centre that was restored has no pictures: whoever holds them gives them again.
    let (relay_dir, addr) = relay.stop().await;
    std::fs::remove_dir_all(relay_dir.join("photos")).expect("removes");
    let _relay = Relay::serve(&relay_dir, addr).await;
    ben.replica.forget_photo(&photo).expect("forgets");
    assert_eq!(ben.sync().await.photos_missing, 1);
    ana.replica.offer_all_photos_again().expect("stores");
    ana.sync().await;
    assert_eq!(ben.sync().await.photos_missing, 0);
    // A file that is damaged is fetched anew.
    let path = files(&at.join("photos")).pop().expect("a file");
    let mut sealed = std::fs::read(&path).expect("reads");
    sealed[PIECE_LEN_BYTES] ^= 1;
    std::fs::write(&path, sealed).expect("writes");
    assert_eq!(ben.replica.photo(&photo).expect("reads"), None);
    ben.sync().await;
    assert!(ben.replica.photo(&photo).expect("reads").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_of_records_about_an_erased_resident_go_everywhere_and_come_no_more() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let chief =
        Worker::join(&dir.path().join("chief"), &relay.invite("周", Role::CentreAdmin, &Scope::Centre)).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let ben = Worker::join(&dir.path().join("ben"), &relay.invite("本", Role::GridWorker, &grid(0))).await;
    for worker in [&ana, &ben, &chief] {
        worker.sync().await;
    }
    ana.run(&["person", "add", PERSON, "name=张三"]);
    let report = |text: &str, seed: u64, person: &[&str]| {
        let file = write(dir.path(), &format!("{seed}.jpg"), &picture(5_000, seed));
        let words = ["case", "report", "--category", "安全生产", "--text", text, "--photo", &file];
        ana.run(&[&words[..], person].concat())["id"].as_str().expect("an id").to_owned()
    };
    let about = report("阳台堆物", 1, &["--person", PERSON]);
    let other = report("楼道堆物", 2, &[]);
    for worker in [&ana, &ben, &chief] {
        worker.sync().await;
    }
    let (gone, stays) = (photo_of(&ana, &grid(0), &about), photo_of(&ana, &grid(0), &other));
    assert_eq!(files(&dir.path().join("relay/photos")).len(), 2);
    // Until then he gets a copy of them, and of nobody else's.
    let out = dir.path().join("copy.json");
    chief.run(&["person", "dossier", PERSON, "--out", &out.display().to_string()]);
    let copy: serde_json::Value = serde_json::from_slice(&std::fs::read(&out).expect("reads")).expect("json");
    assert_eq!(copy["photos"].as_array().map(Vec::len), Some(1), "{copy}");
    let copied = std::fs::read(dir.path().join("copy-1.jpeg")).expect("reads");
    assert_eq!(Some(copied), chief.replica.photo(&gone).expect("reads"));
    chief.run(&["erase", PERSON, "--reason", "本人申请"]);
    chief.sync().await;
    let state = |worker: &Worker, photo: &PhotoId| worker.replica.photo_state(photo).expect("reads");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while [&ana, &ben, &chief].iter().any(|worker| state(worker, &gone) != PhotoState::Gone) {
        assert!(tokio::time::Instant::now() < deadline, "a photo stays");
        for worker in [&ana, &ben, &chief] {
            worker.sync().await;
        }
    }
    until("the relay keeps it", || files(&dir.path().join("relay/photos")).len() == 1).await;
    for (name, worker) in [("ana", &ana), ("ben", &ben), ("chief", &chief)] {
        assert_eq!(files(&dir.path().join(name).join("photos")).len(), 1, "{name}");
        assert_eq!(state(worker, &stays), PhotoState::Centre);
        assert_eq!(worker.replica.photo(&gone).expect("reads"), None);
    }
    let again = write(dir.path(), "again.jpg", &picture(5_000, 3));
    assert_eq!(ana.try_run(&["photo", "add", &about, &again]).expect_err("erased").code, "photo-erased");
}

/// The wrong picture: whoever added it takes it back, 网格长 takes away what somebody else added, nobody else may.
/// It goes everywhere once the centre has accepted that, and the record says that there was one.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_taken_away_by_who_added_it_or_leads_the_grid() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let join = async |name: &str, role| {
        Worker::join(&dir.path().join(name), &relay.invite(name, role, &grid(0))).await
    };
    let ana = join("ana", Role::GridWorker).await;
    let ben = join("ben", Role::GridWorker).await;
    let leader = join("leader", Role::GridLeader).await;
    let file = |seed: u64| write(dir.path(), &format!("{seed}.jpg"), &picture(5_000, seed));
    let words = ["case", "report", "--category", "安全生产", "--text", "楼道堆物", "--photo"];
    let (one, two, three) = (file(1), file(3), file(5));
    let case = ana.run(&[&words[..], &[&one, "--photo", &two, "--photo", &three]].concat());
    let case = case["id"].as_str().expect("an id").to_owned();
    let hazard = ana.run(&["hazard", "add", "--text", "电线老化", "--kind", "消防", "--photo", &one]);
    let hazard = hazard["id"].as_str().expect("an id").to_owned();
    let all = [&ana, &ben, &leader];
    for worker in all.iter().chain(&all) {
        worker.sync().await;
    }
    until("a photo does not arrive", || files(&dir.path().join("relay/photos")).len() == 4).await;

    let refused = ben.try_run(&["photo", "remove", &case, "1", "--reason", "拍错"]).expect_err("not his");
    assert_eq!(refused.code, "may-not");
    assert!(refused.message.contains("网格长"), "{refused}");
    for (words, code) in [(["4", "拍错"], "photo-number"), (["1", " "], "text-missing")] {
        let words = ["photo", "remove", &case, words[0], "--reason", words[1]];
        assert_eq!(ana.try_run(&words).expect_err("nothing to do").code, code);
    }
    // What admission cannot see: he says that it is his.
    let photo = |worker: &Worker, at: usize| {
        let hash = worker.run(&["photo", "list", &case])[at]["hash"].as_str().expect("a hash").to_owned();
        PhotoId { scope: grid(0), doc: case.parse().expect("an id"), hash: hash.parse().expect("reads") }
    };
    let kept = photo(&ben, 2);
    ben.replica.order_removal(Kind::PHOTO_WITHDRAWAL, &kept, Kind::CASE, "恶意").expect("is written");

    ana.run(&["photo", "remove", &case, "1", "--reason", "拍错"]);
    assert_eq!(
        ana.run(&["photo", "list", &case])[0]["state"],
        "centre",
        "the centre has not accepted it yet"
    );
    leader.run(&["photo", "remove", &case, "2", "--reason", "拍到路人"]);
    leader.run(&["photo", "remove", &hazard, "1", "--reason", "重复"]);
    let states = |worker: &Worker, id: &str| -> Vec<String> {
        let listed = worker.run(&["photo", "list", id]);
        let states = listed.as_array().expect("a list").iter();
        states.map(|photo| photo["state"].as_str().expect("a state").to_owned()).collect()
    };
    let done = |worker: &Worker| {
        states(worker, &case) == ["gone", "gone", "centre"] && states(worker, &hazard) == ["gone"]
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !all.iter().all(|worker| done(worker)) {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", all.map(|worker| states(worker, &case)));
        for worker in all {
            worker.sync().await;
        }
    }
    until("the relay keeps it", || files(&dir.path().join("relay/photos")).len() == 1).await;
    for name in ["ana", "ben", "leader"] {
        assert_eq!(files(&dir.path().join(name).join("photos")).len(), 1, "{name}");
    }
    assert!(ben.replica.photo(&kept).expect("reads").is_some(), "what ben said is his is there");
    assert_eq!(
        ben.try_run(&["photo", "remove", &case, "1", "--reason", "x"]).expect_err("gone").code,
        "photo-gone"
    );
    assert_eq!(ana.try_run(&["photo", "add", &case, &one]).expect_err("gone").code, "photo-gone");
    let shown = ben.run(&["case", "show", &case]).to_string();
    assert!(shown.contains("撤除第 1 张照片:拍错") && shown.contains("撤除第 2 张照片:拍到路人"), "{shown}");
    // Whoever comes later gets no more than is left.
    let late = join("late", Role::GridWorker).await;
    late.sync().await;
    late.sync().await;
    assert!(done(&late), "{:?}", states(&late, &case));
    assert_eq!(files(&dir.path().join("late/photos")).len(), 1);
}

/// Who is moved to another grid gives his photos of the old one away before they are destroyed with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_of_a_grid_that_is_lost_reaches_the_centre_first() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let chief =
        Worker::join(&dir.path().join("chief"), &relay.invite("周", Role::CentreAdmin, &Scope::Centre)).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    ana.sync().await;
    let file = write(dir.path(), "a.jpg", &picture(5_000, 1));
    let case = ana.run(&["case", "report", "--category", "安全生产", "--text", "楼道堆物", "--photo", &file]);
    let photo = photo_of(&ana, &grid(0), case["id"].as_str().expect("an id"));
    relay.roster(&["assign", "--worker", "安娜", "--role", "grid-worker", "--unit", &grid(1).to_string()]);
    relay.roster(&["leave", "--worker", "安娜", "--unit", &grid(0).to_string()]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while ana.replica.scopes().contains(&grid(0)) {
        assert!(tokio::time::Instant::now() < deadline, "the grid is not given up");
        // The session that gives the photo away is asked to greet again.
        let _ = ana.try_sync().await;
    }
    assert!(files(&dir.path().join("ana/photos")).is_empty());
    chief.sync().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while chief.replica.photo(&photo).expect("reads").is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the photo is lost");
        chief.sync().await;
    }
}

/// What the other side says about photos.
struct PhotoLine {
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    frames: PhotoFrames,
}

impl PhotoLine {
    async fn open(peer: &Hostile) -> Self {
        let (send, recv) = peer.connection().open_bi().await.expect("opens");
        Self { send, recv, frames: PhotoFrames::default() }
    }

    async fn say(&mut self, frame: &PhotoFrame) {
        let _ = self.send.write_all(&frame.encode()).await;
    }

    /// The next message, `None` once the other side has ended the stream.
    async fn hear(&mut self) -> Option<PhotoFrame> {
        loop {
            if let Some(frame) = self.frames.next_frame().expect("sound") {
                return Some(frame);
            }
            let chunk =
                tokio::time::timeout(Duration::from_secs(60), self.recv.read_chunk(65_536, true)).await;
            self.frames.push(&chunk.expect("answers").ok().flatten()?.bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_device_gets_no_photo_of_another_grid_and_cannot_forge_one() {
    let dir = tempfile::tempdir().expect("dir");
    let relay = Relay::start(&dir.path().join("relay")).await;
    let ana = Worker::join(&dir.path().join("ana"), &relay.invite("安娜", Role::GridWorker, &grid(0))).await;
    let mallory =
        Worker::join(&dir.path().join("mal"), &relay.invite("马", Role::GridWorker, &grid(1))).await;
    for worker in [&ana, &mallory] {
        worker.sync().await;
    }
    let file = write(dir.path(), "a.jpg", &picture(5_000, 1));
    let words = |text| ["case", "report", "--category", "安全生产", "--text", text, "--photo", file.as_str()];
    let case = ana.run(&words("楼道堆物"));
    ana.sync().await;
    let photo = photo_of(&ana, &grid(0), case["id"].as_str().expect("an id"));

    let peer = Hostile::greet(&mallory.replica, relay.addr, &[Scope::Street, grid(1)]).await;
    let mut line = PhotoLine::open(&peer).await;
    line.say(&PhotoFrame::Want(photo.clone(), 0)).await;
    assert_eq!(line.hear().await, Some(PhotoFrame::Lack(photo.clone())));
    line.say(&PhotoFrame::Offer(photo.clone())).await;
    assert_eq!(line.hear().await, Some(PhotoFrame::Refuse(photo)));
    // A photo that no record names is not taken either.
    let own = mallory.run(&words("乱停车"));
    let own = photo_of(&mallory, &grid(1), own["id"].as_str().expect("an id"));
    let stray = PhotoId { hash: wangge_model::identity::Hash([1; 32]), ..own.clone() };
    line.say(&PhotoFrame::Offer(stray.clone())).await;
    assert_eq!(line.hear().await, Some(PhotoFrame::Refuse(stray)));
    // The record comes without its photo; then something else is given for it.
    drop((line, peer));
    mallory.replica.forget_photo(&own).expect("forgets");
    mallory.sync().await;
    let peer = Hostile::greet(&mallory.replica, relay.addr, &[Scope::Street, grid(1)]).await;
    let mut line = PhotoLine::open(&peer).await;
    line.say(&PhotoFrame::Offer(own.clone())).await;
    assert_eq!(line.hear().await, Some(PhotoFrame::Want(own.clone(), 0)));
    let len_bytes =
        mallory.run(&["photo", "list", &own.doc.to_string()])[0]["bytes"].as_u64().expect("a length");
    let forged = vec![7; usize::try_from(len_bytes).expect("fits")];
    line.say(&PhotoFrame::Piece(forged)).await;
    assert_eq!(line.hear().await, None, "a forged photo was taken");
    assert_eq!(files(&dir.path().join("relay/photos")).len(), 1);
    until("the audit does not tell", || {
        relay.ask(&serde_json::json!({ "Audit": 0 })).to_string().contains("a forged photo")
    })
    .await;
    // A piece that nobody asked for, and a length that nobody believes.
    let peer = Hostile::greet(&mallory.replica, relay.addr, &[Scope::Street, grid(1)]).await;
    let mut line = PhotoLine::open(&peer).await;
    line.say(&PhotoFrame::Piece(vec![1; 100])).await;
    assert_eq!(line.hear().await, None);
    let peer = Hostile::greet(&mallory.replica, relay.addr, &[Scope::Street, grid(1)]).await;
    let mut line = PhotoLine::open(&peer).await;
    let _ = line.send.write_all(&[0xff; 64]).await;
    assert_eq!(line.hear().await, None);
    // Honest devices go on.
    let report = ana.sync().await;
    assert!(report.in_sync && report.photos_unsent == 0);
    assert!(ana.view(&grid(0), "00000000000000000000000000000000".parse().expect("an id")).is_none());
    assert_eq!(ana.replica.get(&grid(0), Kind::CASE, &own.doc).expect("reads"), None);
}
