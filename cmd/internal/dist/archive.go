package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// member is a file of an archive.
type member struct {
	name    string
	content []byte
	program bool
}

func (m member) mode() os.FileMode {
	if m.program {
		return 0o755
	}
	return 0o644
}

// writeArchive writes an archive whose bytes depend only on the members and the time: a
// zip if the name ends with that, else a compressed tar.
func writeArchive(name string, members []member, at time.Time) (err error) {
	members = slices.SortedFunc(slices.Values(members), func(a, b member) int { return strings.Compare(a.name, b.name) })
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	write := writeTar
	if filepath.Ext(name) == ".zip" {
		write = writeZip
	}
	if err := write(f, members, at); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func writeTar(w io.Writer, members []member, at time.Time) error {
	packed, err := gzip.NewWriterLevel(w, gzip.BestCompression) // its header has no name and no time
	if err != nil {
		return err
	}
	files := tar.NewWriter(packed)
	for _, m := range members {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: m.name, Size: int64(len(m.content)), Mode: int64(m.mode()),
			ModTime: at, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}
		if err := files.WriteHeader(header); err != nil {
			return err
		}
		if _, err := files.Write(m.content); err != nil {
			return err
		}
	}
	return errors.Join(files.Close(), packed.Close())
}

func writeZip(w io.Writer, members []member, at time.Time) error {
	files := zip.NewWriter(w)
	for _, m := range members {
		header := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: at}
		header.SetMode(m.mode())
		f, err := files.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := f.Write(m.content); err != nil {
			return err
		}
	}
	return files.Close()
}
