package main

// part is something that each order uses: the writer of a database, processors, a network. Times are
// ms.
type part struct {
	name string
	// servers is how many orders the part works on at once. 0 means any number: a network, or WeChat.
	servers int
	// demand is how long a paid order keeps one server busy, from the first call to the delivery of its
	// event.
	demand float64
	// buyer is the part of demand for which the buyer waits, from the tap until the payment parameters
	// are there.
	buyer float64
}

// wall returns the part that is full first, and at how many orders a second. Without a part that can
// be full, servers of the result is 0.
func wall(parts []part) (first part, rate float64) {
	for _, p := range parts {
		if p.servers == 0 || p.demand == 0 {
			continue
		}
		if r := float64(p.servers) * 1000 / p.demand; first.servers == 0 || r < rate {
			first, rate = p, r
		}
	}
	return first, rate
}

// wait returns how long a buyer waits at a number of orders a second: in each part the time of its
// work, and the time for which others are served first. Orders arrive at random (M/M/m). ok is false
// if a part is full.
func wait(parts []part, rate float64) (ms float64, ok bool) {
	for _, p := range parts {
		if p.servers == 0 || p.demand == 0 {
			ms += p.buyer
			continue
		}
		busy := rate * p.demand / 1000 // servers
		if busy >= float64(p.servers) {
			return 0, false
		}
		ms += p.buyer * (1 + waiting(p.servers, busy)/(float64(p.servers)-busy))
	}
	return ms, true
}

// waiting is the probability that an arriving order finds all servers busy (Erlang's C). busy is how
// many are busy on average.
func waiting(servers int, busy float64) float64 {
	b := 1.0 // Erlang's B
	for n := 1; n <= servers; n++ {
		b = busy * b / (float64(n) + busy*b)
	}
	share := busy / float64(servers)
	return b / (1 - share + share*b)
}

// closed returns the orders a second of a number of clients that begin the next order when the
// former one has ended, and the ms of an order: mean value analysis. A part with several servers
// counts as one that is that much faster, and a network (Seidmann).
func closed(parts []part, clients int) (rate, ms float64) {
	queued := make([]float64, len(parts))
	for n := 1; n <= clients; n++ {
		ms = 0
		times := make([]float64, len(parts))
		for i, p := range parts {
			if p.servers == 0 {
				times[i] = p.demand
			} else {
				m := float64(p.servers)
				times[i] = p.demand/m*(1+queued[i]) + p.demand*(m-1)/m
			}
			ms += times[i]
		}
		rate = float64(n) * 1000 / ms
		for i, p := range parts {
			if p.servers > 0 {
				m := float64(p.servers)
				queued[i] = rate / 1000 * p.demand / m * (1 + queued[i])
			}
		}
	}
	return rate, ms
}
