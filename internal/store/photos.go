package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// MaxPhotos bounds the pictures of a shop.
const MaxPhotos = 500

// InsertPhoto stores a picture, whose data is in base64. It reports false if the shop has
// MaxPhotos pictures. A picture that is already stored gets a new time. The trigger
// photo_is_stored removes old ones that no product shows.
func (s *Store) InsertPhoto(ctx context.Context, hash, kind, data string, now time.Time) (bool, error) {
	return s.run(ctx, "storing a picture", `
		INSERT INTO product_photos (hash, type, data, at)
		SELECT ?1, ?2, ?3, ?4 WHERE (SELECT COUNT(*) FROM product_photos) < ?5 OR EXISTS (SELECT 1 FROM product_photos WHERE hash = ?1)
		ON CONFLICT (hash) DO UPDATE SET at = MAX(product_photos.at, excluded.at)`, hash, kind, data, now.UnixMilli(), MaxPhotos)
}

// Photo returns a picture: its type and its data in base64. The error is ErrNotFound if there
// is none.
func (s *Store) Photo(ctx context.Context, hash string) (kind, data string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT type, data FROM product_photos WHERE hash = ?`, hash).Scan(&kind, &data)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", "", ErrNotFound
	case err != nil:
		return "", "", fmt.Errorf("reading a picture: %w", err)
	}
	return kind, data, nil
}
