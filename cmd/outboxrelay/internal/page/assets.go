package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"
)

//go:embed assets/page.css assets/page.js assets/icon.svg assets/libraries
var assetFiles embed.FS

// assets has the files that a browser may ask for.
var assets = readAssets()

type assetFile struct {
	content []byte
	etag    string
}

func readAssets() map[string]assetFile {
	all := map[string]assetFile{}
	for _, name := range []string{
		"page.css", "page.js", "icon.svg",
		"libraries/htmx.min.js", "libraries/idiomorph-ext.min.js", "libraries/uPlot.iife.min.js", "libraries/uPlot.min.css",
	} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // it is part of the program
		}
		sum := sha256.Sum256(content)
		all[path.Base(name)] = assetFile{content, `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return all
}

// contentTypes does not depend on what the machine knows: browsers are told to believe it.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// asset serves a style sheet, a script or a picture. The browser asks each time whether
// it has the current one.
func asset(w http.ResponseWriter, r *http.Request) {
	file, ok := assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", file.etag)
	h.Set("Content-Type", contentTypes[path.Ext(r.PathValue("name"))])
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
}
