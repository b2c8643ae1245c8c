package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// pathPhotos is the prefix of the path of every stored picture.
const pathPhotos = "/photos/"

const hexDigits alphabet.Alphabet = "0123456789abcdef"

// photoHash is the number of hex digits of the SHA-256 in the name of a picture.
const photoHash = 32

// createPhoto stores a picture. The same picture has the same path.
func (b backend) createPhoto(ctx context.Context, c *v1Call) (any, error) {
	text := c.body.(v1.CreatePhoto).Data
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, wrongField("data", "want base64")
	}
	kind := pictureType(data)
	switch {
	case len(data) > v1.MaxPhoto:
		return nil, wrongField("data", "want at most 200,000 bytes")
	case kind == "":
		return nil, wrongField("data", "want a JPEG, PNG or WebP")
	}
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])[:photoHash]
	stored, err := b.cfg.Store.InsertPhoto(ctx, hash, kind, base64.StdEncoding.EncodeToString(data), b.now())
	if err != nil {
		return nil, err
	}
	if !stored {
		return nil, &v1.Error{Code: v1.CodeFull, Message: "the shop has the maximum of pictures"}
	}
	return v1.Photo{Path: pathPhotos + hash}, nil
}

// pictureType returns the type of a picture by its first bytes, "" for other data. SVG is not
// accepted, because it may contain a script.
func pictureType(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case len(b) > 12 && bytes.HasPrefix(b, []byte("RIFF")) && string(b[8:12]) == "WEBP":
		return "image/webp"
	}
	return ""
}

// getPhoto serves a picture. Its path has its hash, so browsers may cache it for ever.
func (s *Server) getPhoto(w http.ResponseWriter, r *http.Request) error {
	hash := r.PathValue("hash")
	if !hexDigits.Valid(hash, photoHash, photoHash) {
		return reject(api.CodeNotFound, "no such picture")
	}
	kind, text, err := s.cfg.Store.Photo(r.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		return reject(api.CodeNotFound, "no such picture")
	}
	if err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(data) // an error means that the client is gone
	return nil
}
