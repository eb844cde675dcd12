//! The sweep: rows of the space that a table does not hold yet are drawn, synthesized, and appended one line at a time.
//!
//! A table is safe at any moment: a line is written at once and synced, and a last line that was cut off is removed when the
//! sweep goes on. A row that is there is not synthesized again, unless its design would give other Verilog today.

use crate::sources::{Sources, WRAPPER, wrapper};
use crate::space;
use crate::yosys::{Counts, Failure, Family, Mode, Stat, Tool};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::{Design, timing};
use netfold_passes::optimize::{Analytic, design_cost};
use netfold_surrogate::dataset::sweep::{COLUMNS, Kind, OK, SweepRow, rows};
use netfold_surrogate::model::Target;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What to sweep.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Device family.
    pub family: Family,
    /// Seed of the space.
    pub seed: u64,
    /// Module rows.
    pub modules: u64,
    /// Network rows.
    pub networks: u64,
    /// This shard, from 1, of how many.
    pub shard: (u64, u64),
    /// Rows that are worked on at a time.
    pub jobs: usize,
    /// Longest synthesis of one design.
    pub limit: Duration,
    /// Folder of the table.
    pub output: PathBuf,
}

/// What came of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows that the table had.
    pub present: usize,
    /// Rows that were added with counts.
    pub added: usize,
    /// Rows that were added without.
    pub failed: usize,
}

/// Modules that share a run of the tool.
const BATCH: usize = 20;

/// LUTs by the analytic prices that a batch may have in all.
const BATCH_LUTS: u64 = 6_000;

/// LUTs by the analytic prices from which on the fast mapping script is used.
const FAST_FROM: u64 = 5_000;

/// One row to be made.
#[derive(Debug, Clone)]
struct Item {
    kind: Kind,
    index: u64,
    /// The row of the table whose Verilog is of another version.
    stale: Option<SweepRow>,
}

/// A row that is ready for synthesis.
struct Job {
    row: SweepRow,
    sources: Sources,
    luts: u64,
}

impl Plan {
    /// The table of this shard: `FAMILY-SEED.csv`, with the shard in its name when there are several.
    pub fn table(&self) -> PathBuf {
        let shard = if self.shard.1 > 1 { format!("-{}of{}", self.shard.0, self.shard.1) } else { String::new() };
        self.output.join(format!("{}-{}{shard}.csv", self.family, self.seed))
    }

    /// Rows of this shard, networks spread evenly among the modules, so that every beginning is representative.
    pub fn items(&self) -> Vec<(Kind, u64)> {
        let at = |i: u64, n: u64| (2 * i + 1) as f64 / (2 * n) as f64;
        let modules = (0..self.modules).map(|i| (at(i, self.modules), Kind::Module, i));
        let networks = (0..self.networks).map(|i| (at(i, self.networks), Kind::Network, i));
        let mut all: Vec<_> = modules.chain(networks).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let own = |i: &usize| *i as u64 % self.shard.1 == self.shard.0 - 1;
        (0..all.len()).filter(own).map(|i| (all[i].1, all[i].2)).collect()
    }
}

/// Runs a sweep to its end.
///
/// # Errors
/// When Yosys is missing, the plan is empty, or the table cannot be read or written. Failed syntheses are rows, not errors.
pub fn run(plan: &Plan) -> Result<Done, Diags> {
    if plan.shard.0 == 0 || plan.shard.0 > plan.shard.1 {
        return Err(Diag::new(Code::Usage, "--shard", "the shard is not one of its number")
            .help("give I/N with I from 1 to N")
            .into());
    }
    let tool = Tool::find()?;
    let path = plan.table();
    let failed = |e: std::io::Error| Diag::new(Code::Io, path.display().to_string(), e.to_string());
    std::fs::create_dir_all(&plan.output).map_err(failed)?;
    let present = open(&path)?;
    let mut done = Done { present: present.len(), ..Done::default() };
    let mut items = missing(plan, present);
    let total = items.len();
    let file = Mutex::new(OpenOptions::new().append(true).open(&path).map_err(failed)?);
    let counts = Mutex::new(&mut done);
    let progress = Progress::new(total);
    let queue = Mutex::new(items.drain(..).collect::<VecDeque<Item>>());
    let first_error = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| {
                while let Some(items) = take(&queue) {
                    let n = items.len();
                    for row in work(plan, &tool, items) {
                        let ok = row.status == OK;
                        if let Err(e) = append(&file, &row) {
                            *lock(&first_error) = Some(failed(e));
                            lock(&queue).clear();
                        }
                        let mut done = lock(&counts);
                        if ok { done.added += 1 } else { done.failed += 1 }
                    }
                    progress.advance(n);
                }
            });
        }
    });
    progress.finish();
    match lock(&first_error).take() {
        Some(e) => Err(e.into()),
        None => Ok(done),
    }
}

/// Locks; a panic of another thread ends the scope anyway.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Rows of the table; makes it when it is not there, and removes a last line that was cut off.
fn open(path: &Path) -> Result<Vec<SweepRow>, Diags> {
    let place = path.display().to_string();
    let failed = |e: std::io::Error| Diag::new(Code::Io, &place, e.to_string());
    let header = COLUMNS.join(",") + "\n";
    let mut text = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(failed(e).into()),
    };
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    if whole < text.len() || whole == 0 {
        text.truncate(whole);
        if whole == 0 {
            text = header.clone().into_bytes();
        }
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path).map_err(failed)?;
        file.set_len(0).and_then(|()| file.write_all(&text)).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    let text = String::from_utf8(text).map_err(|_| Diag::new(Code::Format, &place, "is not UTF-8 text"))?;
    let present = rows(&text, &place)?;
    if !text.starts_with(&header) {
        // A table of other columns, as earlier versions wrote it.
        let lines: String = present.iter().map(|row| row.to_csv() + "\n").collect();
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all((header + &lines).as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(path).map_err(|e| failed(e.error))?;
    }
    Ok(present)
}

/// Rows that are to be made: those that are not there, and those whose Verilog changed.
fn missing(plan: &Plan, present: Vec<SweepRow>) -> Vec<Item> {
    let of_plan = present.into_par_iter().filter(|r| r.seed == plan.seed && r.family == plan.family.name());
    let known: HashMap<(Kind, u64), Option<SweepRow>> = of_plan
        .map(|row| {
            let now = row.decode().ok().and_then(|d| Sources::of(row.kind, &row.unit, &d).ok()).map(|s| s.hash());
            let key = (row.kind, row.index);
            if now.as_ref() == Some(&row.verilog) { (key, None) } else { (key, Some(row)) }
        })
        .collect();
    let item = |(kind, index)| match known.get(&(kind, index)) {
        None => Some(Item { kind, index, stale: None }),
        Some(None) => None,
        Some(Some(row)) => Some(Item { kind, index, stale: Some(row.clone()) }),
    };
    plan.items().into_iter().filter_map(item).collect()
}

/// The next network, or the next modules that share a run.
fn take(queue: &Mutex<VecDeque<Item>>) -> Option<Vec<Item>> {
    let mut queue = lock(queue);
    let first = queue.pop_front()?;
    let mut items = vec![first];
    if items[0].kind == Kind::Module {
        let near: Vec<usize> =
            (0..queue.len().min(2 * BATCH)).filter(|i| queue[*i].kind == Kind::Module).take(BATCH - 1).collect();
        for i in near.into_iter().rev() {
            items.extend(queue.remove(i));
        }
        items[1..].reverse();
    }
    Some(items)
}

/// Draws and synthesizes; modules together as far as their size allows.
fn work(plan: &Plan, tool: &Tool, items: Vec<Item>) -> Vec<SweepRow> {
    let mut jobs = Vec::new();
    for item in items {
        match prepare(plan, &item) {
            Ok(job) => jobs.push(job),
            Err(diags) => eprintln!("\nnote: {} {} is left out: {diags}", item.kind.name(), item.index),
        }
    }
    let mut out = Vec::new();
    let mut batch: Vec<Job> = Vec::new();
    let mut luts = 0;
    for job in jobs {
        if !batch.is_empty() && luts + job.luts > BATCH_LUTS {
            out.extend(synthesize(plan, tool, std::mem::take(&mut batch)));
            luts = 0;
        }
        luts += job.luts;
        batch.push(job);
    }
    out.extend(synthesize(plan, tool, batch));
    out
}

/// Draws a row, or takes the design of a stale one.
fn prepare(plan: &Plan, item: &Item) -> Result<Job, Diags> {
    let (mut row, design) = match &item.stale {
        Some(row) => (row.clone(), row.decode()?),
        None => {
            let sample = space::draw(item.kind, plan.seed, item.index)?;
            let row = SweepRow {
                family: plan.family.name().into(),
                kind: item.kind,
                unit: sample.unit,
                group: sample.group,
                split: sample.split.into(),
                tool: String::new(),
                seed: plan.seed,
                index: item.index,
                status: String::new(),
                verilog: String::new(),
                seconds: 0.0,
                targets: BTreeMap::new(),
                cells: BTreeMap::new(),
                parts: Vec::new(),
                design: SweepRow::encode(&sample.design)?,
            };
            (row, sample.design)
        }
    };
    let sources = Sources::of(row.kind, &row.unit, &design)?;
    row.verilog = sources.hash();
    row.targets = if row.kind == Kind::Network { cycles(&design)? } else { BTreeMap::new() };
    let luts = design_cost(&design, &Analytic::default()).lut.max(50);
    Ok(Job { row, sources, luts })
}

/// What is known without synthesis.
fn cycles(design: &Design) -> Result<BTreeMap<Target, f64>, Diag> {
    let timing = timing::simulate(design)?;
    let pairs = [(Target::LatencyCycles, timing.latency_cycles), (Target::IntervalCycles, timing.interval_cycles)];
    Ok(pairs.map(|(t, n)| (t, n as f64)).into())
}

/// Synthesizes designs in one run; when that fails, one by one.
fn synthesize(plan: &Plan, tool: &Tool, jobs: Vec<Job>) -> Vec<SweepRow> {
    if jobs.is_empty() {
        return Vec::new();
    }
    let start = Instant::now();
    let mode = match jobs[0].row.kind {
        Kind::Module => Mode::Batch,
        Kind::Network if jobs[0].luts >= FAST_FROM => Mode::Fast,
        Kind::Network => Mode::Plain,
    };
    let found = together(plan, tool, &jobs, mode);
    let share = start.elapsed().as_secs_f64() / jobs.len() as f64;
    match found {
        Ok((tool, counts)) => {
            let rows = jobs.into_iter().zip(counts);
            rows.map(|(job, (counts, parts))| SweepRow { parts, ..finish(job.row, &tool, mode, share, counts) })
                .collect()
        }
        Err(failure) if jobs.len() == 1 => {
            let status = match failure {
                Failure::Timeout => format!("timeout after {} s", plan.limit.as_secs()),
                Failure::Tool(cause) => format!("failed: {cause}"),
            };
            jobs.into_iter().map(|job| SweepRow { status: status.clone(), seconds: share, ..job.row }).collect()
        }
        Err(_) => jobs.into_iter().flat_map(|job| synthesize(plan, tool, vec![job])).collect(),
    }
}

/// Counts of a design, and LUTs and flip-flops of its parts where they were kept apart.
type Found = (Counts, Vec<(u64, u64)>);

/// Counts of several designs from one run, in their order, and the tool's name.
fn together(plan: &Plan, tool: &Tool, jobs: &[Job], mode: Mode) -> Result<(String, Vec<Found>), Failure> {
    let io = |e: std::io::Error| Failure::Tool(e.to_string());
    let work = tempfile::tempdir().map_err(io)?;
    let mut files: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for job in jobs {
        files.extend(job.sources.files.iter().map(|(n, t)| (n.as_str(), t.as_slice())));
    }
    let alone = jobs.len() == 1;
    let text = if alone { String::new() } else { wrapper(&jobs.iter().map(|j| &j.sources).collect::<Vec<_>>()) };
    let name = format!("{WRAPPER}.sv");
    if !alone {
        files.insert(&name, text.as_bytes());
    }
    for (name, text) in &files {
        std::fs::write(work.path().join(name), text).map_err(io)?;
    }
    let sources: Vec<String> = files.keys().filter(|n| n.ends_with(".sv")).map(ToString::to_string).collect();
    let top = if alone { &jobs[0].sources.top } else { WRAPPER };
    let limit = plan.limit * if alone { 1 } else { 3 };
    let stat: Stat = tool.synthesize(work.path(), &sources, top, plan.family, mode, Some(limit))?;
    let counts = |job: &Job| {
        let found = if alone { Some(stat.design()) } else { stat.module(&job.sources.top) };
        let parts = if job.sources.parts.is_empty() { Vec::new() } else { parts(&stat, &job.sources) };
        found.map(|f| (f, parts)).ok_or_else(|| Failure::Tool("a module is not in the statistics".into()))
    };
    Ok((stat.tool(), jobs.iter().map(counts).collect::<Result<_, _>>()?))
}

/// LUTs and flip-flops of the modules of a network, then of its top level; none when they were not kept apart.
fn parts(stat: &Stat, sources: &Sources) -> Vec<(u64, u64)> {
    let of = |name: &String| stat.module(name).map(|c| (c.lut, c.ff));
    sources.parts.iter().chain([&sources.top]).map(of).collect::<Option<_>>().unwrap_or_default()
}

/// A row with its counts.
fn finish(row: SweepRow, tool: &str, mode: Mode, seconds: f64, counts: Counts) -> SweepRow {
    let mut targets = row.targets.clone();
    targets.extend([
        (Target::Lut, counts.lut as f64),
        (Target::Ff, counts.ff as f64),
        (Target::Carry, counts.carry as f64),
        (Target::Dsp, counts.dsp as f64),
        (Target::Bram36, counts.bram36),
        (Target::Uram, counts.uram as f64),
        (Target::Lutram, counts.lutram as f64),
    ]);
    let mut cells = counts.cells;
    cells.retain(|name, _| !name.starts_with('$'));
    let tool = if mode == Mode::Fast { format!("{tool}+abc9.fast") } else { tool.to_string() };
    SweepRow { tool, status: OK.into(), seconds, targets, cells, ..row }
}

/// Appends a row and waits until it is on the disk.
fn append(file: &Mutex<File>, row: &SweepRow) -> std::io::Result<()> {
    let line = row.to_csv() + "\n";
    let mut file = lock(file);
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// A line on a terminal that tells how far the sweep is, or a line a minute elsewhere.
struct Progress {
    total: usize,
    start: Instant,
    terminal: bool,
    state: Mutex<(usize, Instant)>,
}

impl Progress {
    fn new(total: usize) -> Progress {
        let start = Instant::now();
        Progress { total, start, terminal: std::io::stderr().is_terminal(), state: Mutex::new((0, start)) }
    }

    fn advance(&self, n: usize) {
        let mut state = lock(&self.state);
        state.0 += n;
        if !self.terminal && state.1.elapsed() < Duration::from_secs(60) {
            return;
        }
        state.1 = Instant::now();
        let (done, seconds) = (state.0, self.start.elapsed().as_secs_f64());
        let left = (seconds / done.max(1) as f64 * (self.total - done.min(self.total)) as f64) as u64;
        let bar = 30 * done / self.total.max(1);
        let text = format!(
            "[{}{}] {done}/{} rows, {:.0} an hour, {}:{:02}:{:02} left",
            "#".repeat(bar),
            ".".repeat(30 - bar),
            self.total,
            done as f64 * 3600.0 / seconds.max(1e-9),
            left / 3600,
            left / 60 % 60,
            left % 60
        );
        if self.terminal { eprint!("\r{text}\x1b[K") } else { eprintln!("{text}") }
    }

    fn finish(&self) {
        if self.terminal {
            eprintln!();
        }
    }
}
