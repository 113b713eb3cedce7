/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subsystem.c - from a function and its file to whose memory it is.
 *
 * nginx names its functions after their modules: ngx_<area>_<module>_<what>. An area is http, stream or mail;
 * which second words are modules and which are the area's own core is a table, because "ngx_http_request"
 * and "ngx_http_proxy" look the same. Modules of others follow the same habit, so an unknown second word
 * is taken for a module when the function lives in a file of its own, and for core otherwise.
 */
#include "subsystem.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* nginx's modules, as it calls them in `nginx -V` and its documentation; longest of a prefix first. */
static const char *const modules[] = {
	"ngx_http_access",
	"ngx_http_addition",
	"ngx_http_auth_basic",
	"ngx_http_auth_request",
	"ngx_http_autoindex",
	"ngx_http_brotli",
	"ngx_http_browser",
	"ngx_http_charset",
	"ngx_http_dav",
	"ngx_http_dyups",
	"ngx_http_echo",
	"ngx_http_empty_gif",
	"ngx_http_fastcgi",
	"ngx_http_file_cache",
	"ngx_http_flv",
	"ngx_http_geoip",
	"ngx_http_geo",
	"ngx_http_grpc",
	"ngx_http_gunzip",
	"ngx_http_gzip",
	"ngx_http_image",
	"ngx_http_js",
	"ngx_http_limit_conn",
	"ngx_http_limit_req",
	"ngx_http_log",
	"ngx_http_lua",
	"ngx_http_map",
	"ngx_http_memcached",
	"ngx_http_mirror",
	"ngx_http_modsecurity",
	"ngx_http_mp4",
	"ngx_http_perl",
	"ngx_http_proxy",
	"ngx_http_random_index",
	"ngx_http_realip",
	"ngx_http_referer",
	"ngx_http_rewrite",
	"ngx_http_scgi",
	"ngx_http_secure_link",
	"ngx_http_slice",
	"ngx_http_split",
	"ngx_http_ssi",
	"ngx_http_ssl",
	"ngx_http_static",
	"ngx_http_stub_status",
	"ngx_http_sub",
	"ngx_http_upstream",
	"ngx_http_userid",
	"ngx_http_uwsgi",
	"ngx_http_vhost_traffic_status",
	"ngx_http_v2",
	"ngx_http_v3",
	"ngx_http_xslt",
	"ngx_mail_ssl",
	"ngx_mail",
	"ngx_stream_js",
	"ngx_stream_lua",
	"ngx_stream_proxy",
	"ngx_stream_ssl",
	"ngx_stream_upstream",
	"ngx_quic",
	"ngx_resolver",
};

/* ngx_ssl_* and ngx_openssl_* are nginx's own layer over OpenSSL. */
static const struct {
	const char *prefix, *name;
} areas[] = {
	{"ngx_ssl_", "nginx ssl"},
	{"ngx_openssl_", "nginx ssl"},
	{"ngx_http_", "nginx http core"},
	{"ngx_stream_", "nginx stream core"},
	{"ngx_event_", "nginx events"},
	{"ngx_epoll_", "nginx events"},
	{"ngx_conf_", "nginx configuration"},
	{"ngx_", "nginx core"},
};

static const struct {
	const char *file, *name;
} libraries[] = {
	{"libssl", "OpenSSL"},
	{"libcrypto", "OpenSSL"},
	{"libpcre", "PCRE"},
	{"libz.", "zlib"},
	{"libluajit", "LuaJIT"},
	{"liblua5", "Lua"},
	{"libc.so", "libc"},
	{"libc-", "libc"},
	{"libstdc++", "libstdc++"},
	{"ld-linux", "dynamic loader"},
	{"libxml2", "libxml2"},
	{"libGeoIP", "GeoIP"},
	{"libmaxminddb", "GeoIP"},
	{"libbrotli", "Brotli"},
	{"libmodsecurity", "ModSecurity"},
};

/* ngx_http_foo_module.so has the functions ngx_http_foo_*; the static ones have no names. */
static bool module_file(const char *file, char *name, size_t size)
{
	const char *end = strstr(file, "_module.so");
	if (!starts(file, "ngx_") || !end)
		return false;
	snprintf(name, size, "%.*s", (int)(end - file), file);
	return true;
}

void subsystem_name(const char *function, const char *file, char *name, size_t size)
{
	if (function && starts(function, "ngx_")) {
		for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
			size_t length = strlen(modules[i]);
			if (starts(function, modules[i]) && (function[length] == '_' || !function[length])) {
				snprintf(name, size, "%s", modules[i]);
				return;
			}
		}
	}
	if (file && module_file(file, name, size))
		return;
	for (size_t i = 0; function && i < sizeof areas / sizeof *areas; i++) {
		if (starts(function, areas[i].prefix)) {
			snprintf(name, size, "%s", areas[i].name);
			return;
		}
	}
	for (size_t i = 0; file && i < sizeof libraries / sizeof *libraries; i++) {
		if (starts(file, libraries[i].file)) {
			snprintf(name, size, "%s", libraries[i].name);
			return;
		}
	}
	if (function && file && strstr(function, "!fn@") && starts(file, "nginx"))
		file = "nginx, unnamed functions"; /* a stripped file: of which module they are is not told */
	snprintf(name, size, "%s", file && file[0] ? file : "unknown");
}
