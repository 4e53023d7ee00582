// Imports the field tables of the Kubernetes API from its Go sources: names, Protobuf numbers, types, list types, patch strategies, enumerations and
// defaults, as its struct tags and markers have them. Facts only: no sentence is taken over.
//
// By hand:  go run ./scripts/import-k8s packages/kinds/src/tables/gen
// The guard "generated" runs it too where Go is there and the modules are in its cache.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Of k8s.io/api, k8s.io/apimachinery and k8s.io/apiextensions-apiserver. Change it, run, look at the difference, mention it in NOTICE.
const version = "v0.36.4"

// One Go package and the file its table is written to.
type source struct {
	module, dir, file string
	types             map[string]*typeDef
	consts            map[string][]string // type name → values in source order
	values            map[string]string   // constant's name → value
	imports           map[string]string   // name in the source → import path
}

type typeDef struct {
	name   string
	expr   ast.Expr
	marks  marks
	lookup *source
}

// Markers of a comment: `+name` or `+name=value`.
type marks map[string][]string

func (m marks) has(name string) bool { _, ok := m[name]; return ok }
func (m marks) one(name string) string {
	if v := m[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

var sources = []*source{
	{module: "k8s.io/apimachinery", dir: "pkg/apis/meta/v1", file: "meta_v1"},
	{module: "k8s.io/api", dir: "core/v1", file: "core_v1"},
	{module: "k8s.io/api", dir: "apps/v1", file: "apps_v1"},
	{module: "k8s.io/api", dir: "batch/v1", file: "batch_v1"},
	{module: "k8s.io/api", dir: "autoscaling/v1", file: "autoscaling_v1"},
	{module: "k8s.io/api", dir: "autoscaling/v2", file: "autoscaling_v2"},
	{module: "k8s.io/api", dir: "coordination/v1", file: "coordination_v1"},
	{module: "k8s.io/api", dir: "discovery/v1", file: "discovery_v1"},
	{module: "k8s.io/api", dir: "events/v1", file: "events_v1"},
	{module: "k8s.io/api", dir: "rbac/v1", file: "rbac_v1"},
	{module: "k8s.io/api", dir: "policy/v1", file: "policy_v1"},
	{module: "k8s.io/api", dir: "networking/v1", file: "networking_v1"},
	{module: "k8s.io/api", dir: "scheduling/v1", file: "scheduling_v1"},
	{module: "k8s.io/api", dir: "authentication/v1", file: "authentication_v1"},
	{module: "k8s.io/api", dir: "authorization/v1", file: "authorization_v1"},
	{module: "k8s.io/apiextensions-apiserver", dir: "pkg/apis/apiextensions/v1", file: "apiextensions_v1"},
}

// Types with a JSON form of their own, by import path and name; after a colon, the name OpenAPI has for any JSON of a purpose.
var scalars = map[string]string{
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":                                             "time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":                                        "microTime",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":                                         "duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":                                         "fieldsV1",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString":                                       "intOrString",
	"k8s.io/apimachinery/pkg/api/resource.Quantity":                                         "quantity",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":                                          "any:io.k8s.apimachinery.pkg.runtime.RawExtension",
	"k8s.io/apimachinery/pkg/types.UID":                                                     "string",
	"k8s.io/apimachinery/pkg/types.NodeName":                                                "string",
	"k8s.io/apimachinery/pkg/types.NamespacedName":                                          "string",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON":                         "any:io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray":       "any:io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool":        "any:io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray": "any:io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray",
}

var goScalars = map[string]string{
	"string": "string", "bool": "bool", "int32": "int32", "int64": "int64", "int": "int64", "uint32": "int64", "float64": "double", "byte": "byte",
}

var markPattern = regexp.MustCompile(`^\s*\+([A-Za-z][A-Za-z0-9:.-]*)(?:=(.*))?$`)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . OUTPUT_FOLDER")
	}
	byPath := map[string]*source{}
	for _, s := range sources {
		s.read(moduleDir(s.module))
		byPath[s.module+"/"+s.dir] = s
	}
	for _, s := range sources {
		text := s.table(byPath)
		if err := os.WriteFile(filepath.Join(os.Args[1], s.file+".ts"), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	said := fmt.Sprintf("// @generated by scripts/import-k8s. Not edited by hand.\nexport const version = %q;\n", "v1"+strings.TrimPrefix(version, "v0"))
	if err := os.WriteFile(filepath.Join(os.Args[1], "version.ts"), []byte(said), 0o644); err != nil {
		log.Fatal(err)
	}
}

// moduleDir asks Go for the module's folder; it is downloaded, and checked against the checksum database, when it is not there.
func moduleDir(module string) string {
	out, err := exec.Command("go", "mod", "download", "-json", module+"@"+version).Output()
	if err != nil {
		log.Fatalf("%s@%s: %v\n%s", module, version, err, out)
	}
	var got struct{ Dir string }
	if err := json.Unmarshal(out, &got); err != nil {
		log.Fatal(err)
	}
	return got.Dir
}

func (s *source) read(moduleFolder string) {
	s.types, s.consts, s.values, s.imports = map[string]*typeDef{}, map[string][]string{}, map[string]string{}, map[string]string{}
	files, err := filepath.Glob(filepath.Join(moduleFolder, s.dir, "*.go"))
	if err != nil || len(files) == 0 {
		log.Fatalf("%s/%s: no Go files (%v)", s.module, s.dir, err)
	}
	set := token.NewFileSet()
	for _, file := range files {
		base := filepath.Base(file)
		if strings.HasSuffix(base, "_test.go") || strings.HasPrefix(base, "zz_") || strings.HasPrefix(base, "generated.") {
			continue
		}
		tree, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		if err != nil {
			log.Fatal(err)
		}
		s.readFile(tree)
	}
}

func (s *source) readFile(tree *ast.File) {
	for _, spec := range tree.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		s.imports[name] = path
	}
	for _, decl := range tree.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.types[spec.Name.Name] = &typeDef{name: spec.Name.Name, expr: spec.Type, marks: marksOf(gen.Doc, spec.Doc), lookup: s}
			case *ast.ValueSpec:
				s.readConst(spec)
			}
		}
	}
}

func (s *source) readConst(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i >= len(spec.Values) {
			return
		}
		expr, kind := spec.Values[i], spec.Type
		if call, ok := expr.(*ast.CallExpr); ok && len(call.Args) == 1 { // PathTypeExact = PathType("Exact")
			expr, kind = call.Args[0], call.Fun
		}
		if named, ok := expr.(*ast.SelectorExpr); ok { // AddressTypeIPv4 = AddressType(v1.IPv4Protocol)
			s.consts[nameOf(kind)] = append(s.consts[nameOf(kind)], s.imports[nameOf(named.X)]+"."+named.Sel.Name)
			continue
		}
		literal, ok := expr.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		value, _ := strconv.Unquote(literal.Value)
		s.values[name.Name] = value
		s.consts[nameOf(kind)] = append(s.consts[nameOf(kind)], value)
	}
}

func nameOf(expr ast.Expr) string {
	if name, ok := expr.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// enumOf says the values of an enumeration; those that are another package's constants are looked up there.
func (s *source) enumOf(name string, byPath map[string]*source) []string {
	values := []string{}
	for _, value := range s.consts[name] {
		if dot := strings.LastIndex(value, "."); dot > 0 && byPath[value[:dot]] != nil {
			value = byPath[value[:dot]].values[value[dot+1:]]
		}
		values = append(values, value)
	}
	return sorted(values)
}

func marksOf(groups ...*ast.CommentGroup) marks {
	found := marks{}
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			if m := markPattern.FindStringSubmatch(strings.TrimPrefix(comment.Text, "//")); m != nil {
				found[m[1]] = append(found[m[1]], m[2])
			}
		}
	}
	return found
}

// One line of JSON for each struct type, sorted by name.
func (s *source) table(byPath map[string]*source) []byte {
	names := []string{}
	for name, def := range s.types {
		_, isStruct := def.expr.(*ast.StructType)
		if isStruct && ast.IsExported(name) && scalars[s.module+"/"+s.dir+"."+name] == "" && reachable(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var out bytes.Buffer
	fmt.Fprintf(&out, "// @generated by scripts/import-k8s from %s/%s %s (Apache-2.0, see NOTICE). Not edited by hand.\n", s.module, s.dir, version)
	fmt.Fprintf(&out, "export const prefix = %q;\n", prefix(s.module, s.dir))
	out.WriteString("export const rows = String.raw`")
	for _, name := range names {
		row := []any{name, s.fields(s.types[name], byPath)}
		if options := typeOptions(s.types[name]); len(options) > 0 {
			row = append(row, options)
		}
		out.WriteString("\n")
		out.Write(compact(row))
	}
	out.WriteString("\n`;\n")
	return out.Bytes()
}

// Helper types of Go code that are no part of the API's JSON.
func reachable(name string) bool {
	return !strings.HasPrefix(name, "Internal") && name != "MicroTime" && name != "Timestamp"
}

// The name OpenAPI documents use: the import path with its first part turned around.
func prefix(module, dir string) string {
	path := strings.Split(module+"/"+dir, "/")
	domain := strings.Split(path[0], ".")
	for i, j := 0, len(domain)-1; i < j; i, j = i+1, j-1 {
		domain[i], domain[j] = domain[j], domain[i]
	}
	return strings.Join(append(domain, path[1:]...), ".") + "."
}

func typeOptions(def *typeDef) map[string]any {
	options := map[string]any{}
	if kind := first(def.marks.one("structType"), def.marks.one("mapType")); kind != "" {
		options["mapType"] = kind
	}
	if def.marks.has("union") {
		options["union"] = unionOf(def)
	}
	return options
}

// Fields of which at most one is set, with their Go names, and the field that says which.
func unionOf(def *typeDef) map[string]any {
	members := map[string]string{}
	union := map[string]any{"members": members}
	for _, field := range def.expr.(*ast.StructType).Fields.List {
		text, _ := strconv.Unquote(field.Tag.Value)
		name := strings.Split(reflect.StructTag(text).Get("json"), ",")[0]
		if marksOf(field.Doc).has("unionDiscriminator") {
			union["discriminator"] = name
		} else {
			members[name] = field.Names[0].Name
		}
	}
	return union
}

func (s *source) fields(def *typeDef, byPath map[string]*source) []any {
	rows := []any{}
	for _, field := range def.expr.(*ast.StructType).Fields.List {
		rows = append(rows, s.field(def, field, byPath)...)
	}
	return rows
}

func (s *source) field(holder *typeDef, field *ast.Field, byPath map[string]*source) []any {
	tag := reflect.StructTag("")
	if field.Tag != nil {
		text, _ := strconv.Unquote(field.Tag.Value)
		tag = reflect.StructTag(text)
	}
	jsonTag, has := tag.Lookup("json")
	parts := strings.Split(jsonTag, ",")
	if !has || parts[0] == "-" {
		return nil
	}
	number := protoNumber(tag.Get("protobuf"))
	found := marksOf(field.Doc)
	embedded := len(field.Names) == 0 && parts[0] == ""
	if embedded && number == 0 { // TypeMeta: its fields are the holder's in JSON; in the Protobuf form the envelope carries them
		inner, from := s.named(field.Type, byPath)
		rows := from.fields(inner, byPath)
		for _, row := range rows {
			row.([]any)[1] = 0
		}
		return rows
	}
	options := map[string]any{}
	omit := strings.Contains(jsonTag, "omitempty") || strings.Contains(jsonTag, "omitzero")
	_, pointer := field.Type.(*ast.StarExpr)
	if embedded {
		options["i"] = 1
	} else if found.has("required") || found.has("k8s:required") || !omit && !found.has("optional") {
		options["r"] = 1
	}
	omitZero := strings.Contains(jsonTag, "omitzero")
	switch {
	case pointer && !omit && !embedded:
		options["n"] = 1
	case embedded || pointer:
	case omitZero || omit && !s.isStruct(field.Type, byPath):
		options["o"] = 1
	default:
		options["z"] = 1
	}
	set(options, "s", tag.Get("patchStrategy"))
	set(options, "k", tag.Get("patchMergeKey"))
	set(options, "l", first(found.one("listType"), ""))
	if keys := found["listMapKey"]; len(keys) > 0 {
		options["m"] = keys
	}
	if kind := first(found.one("structType"), found.one("mapType")); kind != "" {
		options["t"] = kind
	}
	if text, ok := found["default"]; ok {
		options["d"] = s.defaultValue(text[0])
	}
	ref, enum := s.ref(field.Type, byPath)
	if len(enum) > 0 {
		options["e"] = enum
	}
	row := []any{parts[0], number, ref}
	if len(options) > 0 {
		row = append(row, options)
	}
	return []any{row}
}

func (s *source) defaultValue(text string) any {
	if name, ok := strings.CutPrefix(text, "ref("); ok {
		name = strings.TrimSuffix(name, ")")
		if value, ok := s.values[name]; ok {
			return value
		}
		log.Fatalf("default %s: no such constant", text)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		log.Fatalf("default %s: %v", text, err)
	}
	return value
}

// The type as text: a scalar's name, a type's name (with its file's name and a slash when it is another's), `[]` and `{}` before what a list or map holds,
// `[+]` a list that is a message of its own in the Protobuf form.
func (s *source) ref(expr ast.Expr, byPath map[string]*source) (string, []string) {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return s.ref(e.X, byPath)
	case *ast.ArrayType:
		inner, enum := s.ref(e.Elt, byPath)
		if inner == "byte" {
			return "bytes", nil
		}
		return "[]" + inner, enum
	case *ast.MapType:
		inner, enum := s.ref(e.Value, byPath)
		return "{}" + inner, enum
	case *ast.InterfaceType:
		return "any", nil
	case *ast.Ident:
		if scalar, ok := goScalars[e.Name]; ok {
			return scalar, nil
		}
		return s.refOf(s, e.Name, byPath)
	case *ast.SelectorExpr:
		path := s.imports[e.X.(*ast.Ident).Name]
		if scalar, ok := scalars[path+"."+e.Sel.Name]; ok {
			return scalar, nil
		}
		other, ok := byPath[path]
		if !ok {
			log.Fatalf("%s.%s: package is not imported here", path, e.Sel.Name)
		}
		return s.refOf(other, e.Sel.Name, byPath)
	}
	log.Fatalf("%s: cannot say type %T", s.file, expr)
	return "", nil
}

func (s *source) refOf(owner *source, name string, byPath map[string]*source) (string, []string) {
	if scalar, ok := scalars[owner.module+"/"+owner.dir+"."+name]; ok {
		return scalar, nil
	}
	def, ok := owner.types[name]
	if !ok {
		log.Fatalf("%s.%s: no such type", owner.file, name)
	}
	if _, isStruct := def.expr.(*ast.StructType); isStruct {
		if owner == s {
			return name, nil
		}
		return owner.file + "/" + name, nil
	}
	ref, enum := owner.ref(def.expr, byPath)
	if strings.Contains(ref, "/") || !isUpper(ref) || owner == s {
		if inner, ok := strings.CutPrefix(ref, "[]"); ok && !isUpper(inner) {
			ref = "[+]" + inner
		}
		if def.marks.has("enum") {
			enum = owner.enumOf(name, byPath)
		}
		return ref, enum
	}
	return owner.file + "/" + ref, enum
}

// named finds the struct an embedded field names.
func (s *source) named(expr ast.Expr, byPath map[string]*source) (*typeDef, *source) {
	switch e := expr.(type) {
	case *ast.Ident:
		return s.types[e.Name], s
	case *ast.SelectorExpr:
		owner := byPath[s.imports[e.X.(*ast.Ident).Name]]
		return owner.types[e.Sel.Name], owner
	}
	log.Fatalf("%s: cannot embed %T", s.file, expr)
	return nil, nil
}

// isStruct tells whether Go's JSON writes the type even when it is empty: a struct that is no pointer, also one with a JSON form of its own.
func (s *source) isStruct(expr ast.Expr, byPath map[string]*source) bool {
	if selector, ok := expr.(*ast.SelectorExpr); ok {
		path := s.imports[selector.X.(*ast.Ident).Name]
		if scalar, ok := scalars[path+"."+selector.Sel.Name]; ok {
			return scalar != "string"
		}
	}
	name, ok := expr.(*ast.Ident)
	if ok && goScalars[name.Name] != "" {
		return false
	}
	if _, isSelector := expr.(*ast.SelectorExpr); !ok && !isSelector {
		return false
	}
	def, _ := s.named(expr, byPath)
	_, is := def.expr.(*ast.StructType)
	return is
}

func protoNumber(tag string) int {
	parts := strings.Split(tag, ",")
	if len(parts) < 2 {
		return 0
	}
	number, _ := strconv.Atoi(parts[1])
	return number
}

func compact(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		log.Fatal(err)
	}
	text := bytes.TrimSpace(out.Bytes())
	if bytes.ContainsAny(text, "`") || bytes.Contains(text, []byte("${")) {
		log.Fatalf("does not fit a template: %s", text)
	}
	return text
}

func set(options map[string]any, name, value string) {
	if value != "" {
		options[name] = value
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func sorted(values []string) []string {
	seen := map[string]bool{}
	out := []string{}
	for _, value := range values {
		if !seen[value] {
			seen[value] = true
			out = append(out, value)
		}
	}
	sort.Strings(out)
	return out
}

func isUpper(text string) bool { return text != "" && text[0] >= 'A' && text[0] <= 'Z' }
