// Package job names what the Worker does by the clock, and the cron trigger that
// starts each job. wrangler.toml lists the same triggers.
package job

// Job is started by a trigger of its own: Cloudflare gives each trigger an
// invocation, which has its own time, CPU and number of SQL statements.
type Job string

const (
	Reconcile  Job = "reconcile"   // queries WeChat about orders and refunds without news
	Deliver    Job = "deliver"     // delivers webhooks
	CheckBills Job = "check-bills" // compares the books with WeChat's bill
)

// triggers has each job once, and each cron expression once: an invocation knows
// only the expression. So a second job of every minute spells it otherwise.
var triggers = []struct {
	job  Job
	cron string
}{
	{Reconcile, "* * * * *"},
	{Deliver, "*/1 * * * *"},
	{CheckBills, "*/10 2-23 * * *"}, // WeChat has bills from ten o'clock in Beijing on, 02:00 UTC
}

// All returns the jobs.
func All() []Job {
	var jobs []Job
	for _, t := range triggers {
		jobs = append(jobs, t.job)
	}
	return jobs
}

// Cron returns the cron expression of the job's trigger, "" for an unknown job.
func (j Job) Cron() string {
	for _, t := range triggers {
		if t.job == j {
			return t.cron
		}
	}
	return ""
}

// ByCron returns the job whose trigger has the cron expression, "" for an unknown
// one.
func ByCron(cron string) Job {
	for _, t := range triggers {
		if t.cron == cron {
			return t.job
		}
	}
	return ""
}
