//! Minimum cuts by Dinic's algorithm (1970), on integer capacities.

/// A flow network under construction.
pub(crate) struct MinCut {
    first: Vec<u32>,
    next: Vec<u32>,
    to: Vec<u32>,
    cap: Vec<u64>,
}

const NONE: u32 = u32::MAX;

impl MinCut {
    pub const INFINITE: u64 = 1 << 50;

    pub fn new(nodes: usize) -> Self {
        Self { first: vec![NONE; nodes], next: Vec::new(), to: Vec::new(), cap: Vec::new() }
    }

    /// Adds a directed edge.
    pub fn edge(&mut self, from: usize, to: usize, cap: u64) {
        for (a, b, c) in [(from, to, cap), (to, from, 0)] {
            self.next.push(self.first[a]);
            self.first[a] = self.to.len() as u32;
            self.to.push(b as u32);
            self.cap.push(c);
        }
    }

    fn levels(&self, source: usize) -> Vec<u32> {
        let mut level = vec![NONE; self.first.len()];
        let mut queue = vec![source];
        level[source] = 0;
        let mut head = 0;
        while head < queue.len() {
            let v = queue[head];
            head += 1;
            let mut e = self.first[v];
            while e != NONE {
                let u = self.to[e as usize] as usize;
                if self.cap[e as usize] > 0 && level[u] == NONE {
                    level[u] = level[v] + 1;
                    queue.push(u);
                }
                e = self.next[e as usize];
            }
        }
        level
    }

    /// The nodes on the source's side of a minimum cut.
    pub fn solve(&mut self, source: usize, sink: usize) -> Vec<bool> {
        loop {
            let level = self.levels(source);
            if level[sink] == NONE {
                return level.iter().map(|&l| l != NONE).collect();
            }
            let mut at = self.first.clone();
            let mut path: Vec<u32> = Vec::new();
            let mut v = source;
            loop {
                if v == sink {
                    let flow = path.iter().map(|&e| self.cap[e as usize]).min().unwrap_or(0);
                    let mut back = path.len();
                    for (i, &e) in path.iter().enumerate() {
                        self.cap[e as usize] -= flow;
                        self.cap[e as usize ^ 1] += flow;
                        if self.cap[e as usize] == 0 && i < back {
                            back = i;
                        }
                    }
                    v = self.to[path[back] as usize ^ 1] as usize;
                    path.truncate(back);
                    continue;
                }
                let e = at[v];
                if e == NONE {
                    let Some(last) = path.pop() else { break };
                    v = self.to[last as usize ^ 1] as usize;
                    at[v] = self.next[at[v] as usize];
                } else if self.cap[e as usize] > 0 && level[self.to[e as usize] as usize] == level[v] + 1 {
                    path.push(e);
                    v = self.to[e as usize] as usize;
                } else {
                    at[v] = self.next[e as usize];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_the_cheapest_edge() {
        let mut c = MinCut::new(4);
        c.edge(0, 1, 5);
        c.edge(0, 2, 4);
        c.edge(1, 3, 2);
        c.edge(2, 3, 9);
        c.edge(1, 2, 9);
        assert_eq!(c.solve(0, 3), vec![true, false, false, false]);
        let mut c = MinCut::new(4);
        c.edge(0, 1, 5);
        c.edge(1, 2, 1);
        c.edge(2, 3, 5);
        assert_eq!(c.solve(0, 3), vec![true, true, false, false]);
    }
}
