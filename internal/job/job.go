// Package job names the jobs that the Worker runs on a schedule, and the cron trigger of each.
// wrangler.toml lists the same triggers.
package job

// Job is a scheduled job. Each has its own trigger, because Cloudflare gives each trigger an
// invocation with its own time, CPU and number of SQL statements.
type Job string

const (
	Reconcile  Job = "reconcile"   // queries WeChat about open orders and refunds
	Deliver    Job = "deliver"     // delivers webhooks
	CheckBills Job = "check-bills" // compares the orders with WeChat's bill
)

// triggers contains each job and each cron expression once, because an invocation knows only the
// expression. A second job of every minute needs another spelling.
var triggers = []struct {
	job  Job
	cron string
}{
	{Reconcile, "* * * * *"},
	{Deliver, "*/1 * * * *"},
	{CheckBills, "*/10 2-23 * * *"}, // WeChat offers bills from 10:00 in Beijing, 02:00 UTC
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
