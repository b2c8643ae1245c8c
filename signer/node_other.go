//go:build !js

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/store/postgres"
)

// join enters this program as a node of a database of PostgreSQL. The returned function removes the
// node. With SQLite it does nothing.
func (d *database) join(ctx context.Context, set settings, log *slog.Logger) (leave func(), err error) {
	if d.file != "" {
		return func() {}, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	id := host + "-" + strings.ToLower(rand.Text()[:8])
	d.node, err = postgres.Join(ctx, d.DB, id, buildVersion(), postgres.Settings{
		Same:    map[string]string{"SHOP_URL": set.ShopURL, "WECHAT_APPID": set.AppID, "WECHAT_MCH_ID": set.MchID},
		KeyName: "SESSION_KEY", Key: string(set.SessionKey), OldKey: string(set.SessionKeyOld),
	})
	if err != nil {
		if setting := (*postgres.SettingError)(nil); errors.As(err, &setting) {
			return nil, err
		}
		return nil, fmt.Errorf("setting %s: %w", urlSetting, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var live sync.WaitGroup
	live.Go(func() {
		d.node.Live(ctx, func(err error) { log.Warn("the node's heartbeat could not be stored", "error", err) })
	})
	return func() {
		cancel()
		live.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := d.node.Leave(ctx); err != nil {
			log.Warn("removing the node failed: it counts as alive for a minute", "error", err)
		}
	}, nil
}

// every is how often a node tries a job of a period. One of several nodes gets it.
func (d *database) every(period time.Duration) time.Duration {
	if d.node == nil {
		return period
	}
	return period / 6
}

// once returns a job that runs once in a period, for all nodes together.
func (d *database) once(name string, period time.Duration, run func(context.Context) error) func(context.Context) error {
	if d.node == nil {
		return run
	}
	return func(ctx context.Context) error {
		_, err := d.node.Once(ctx, name, period, run)
		return err
	}
}

// check is the entry of the database's nodes on the health page.
func (d *database) check(ctx context.Context) api.HealthCheck {
	check := api.HealthCheck{Name: "nodes", OK: true}
	skew, err := d.node.Skew(ctx)
	if err != nil {
		return api.HealthCheck{Name: "nodes", Problem: "the database " + d.name + " does not respond", Cause: string(cause.DatabaseUnreadable)}
	}
	if skew.Abs() > postgres.MaxSkew {
		return api.HealthCheck{Name: "nodes", Problem: (&postgres.ClockError{Ahead: skew}).Error(), Cause: string(cause.NodeClock)}
	}
	others, err := d.node.Others(ctx)
	if err != nil {
		return api.HealthCheck{Name: "nodes", Problem: "the database " + d.name + " does not respond", Cause: string(cause.DatabaseUnreadable)}
	}
	for _, o := range others {
		if o.Version != buildVersion() {
			check.Cause = string(cause.NodeVersion)
			check.Problem = fmt.Sprintf("node %s runs %s, and this one %s: finish the upgrade", o.ID, cmp.Or(o.Version, "another version"), buildVersion())
		}
	}
	return check
}
