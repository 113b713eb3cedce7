/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ledger_names.c - whose a function is, and what a pool is for. */
#include "pools.h"
#include "subsystem.h"
#include "run_suite.h"

#include <check.h>
#include <stdlib.h>

static const char *const owners[][3] = {
	{"ngx_http_proxy_handler", "nginx", "ngx_http_proxy"},
	{"ngx_http_upstream_init", "nginx", "ngx_http_upstream"},
	{"ngx_http_ssl_handshake", "nginx", "ngx_http_ssl"},
	{"ngx_http_lua_new_state", "ngx_http_lua_module.so", "ngx_http_lua"},
	{"ngx_stream_lua_init_vm", "nginx", "ngx_stream_lua"},
	{"ngx_http_limit_req_merge", "nginx", "ngx_http_limit_req"},
	{"ngx_http_file_cache_init", "nginx", "ngx_http_file_cache"},
	{"ngx_http_core_server", "nginx", "nginx http core"},
	{"ngx_http_proxying", "nginx", "nginx http core"}, /* no module of that name */
	{"ngx_ssl_create", "nginx", "nginx ssl"},
	{"ngx_event_accept", "nginx", "nginx events"},
	{"ngx_conf_parse", "nginx", "nginx configuration"},
	{"ngx_init_cycle", "nginx", "nginx core"},
	{"ngx_http_foo_module.so!fn@0x1234", "ngx_http_foo_module.so", "ngx_http_foo"},
	{"ngx_http_foo_handler", "ngx_http_foo_module.so", "ngx_http_foo"},
	{"nginx!fn@0x27a00", "nginx", "nginx, unnamed functions"},
	{"SSL_CTX_new", "libssl.so.3", "OpenSSL"},
	{"CRYPTO_zalloc", "libcrypto.so.3", "OpenSSL"},
	{"pcre2_compile_8", "libpcre2-8.so.0.11.2", "PCRE"},
	{"deflateInit2_", "libz.so.1.2.13", "zlib"},
	{"lj_alloc_f", "libluajit-5.1.so.2.1.0", "LuaJIT"},
	{NULL, "libfoo.so.1", "libfoo.so.1"},
	{NULL, "", "unknown"},
	{NULL, NULL, "unknown"},
};

START_TEST(owner_of_a_function)
{
	char name[64];
	subsystem_name(owners[_i][0], owners[_i][1], name, sizeof name);
	ck_assert_str_eq(name, owners[_i][2]);
}
END_TEST

START_TEST(a_name_that_does_not_fit)
{
	char name[8];
	subsystem_name(NULL, "a_very_long_file_name.so", name, sizeof name);
	ck_assert_str_eq(name, "a_very_");
}
END_TEST

START_TEST(kind_of_a_pool)
{
	const char *cycle[] = {"ngx_init_cycle", "main"}, *connection[] = {"ngx_event_accept", "ngx_epoll_process_events"},
		*request[] = {"nginx!fn@0x6c880", "ngx_http_create_request", "ngx_http_wait_request_handler"},
		*lua[] = {"ngx_http_lua_create_fake_connection", "ngx_init_cycle"},
		*far[] = {"a", "b", "c", "d", "ngx_http_create_request"}, *unknown[] = {NULL, NULL};
	ck_assert_str_eq(pool_kind_of(cycle, 2), "cycle");
	ck_assert_str_eq(pool_kind_of(connection, 2), "connection");
	ck_assert_str_eq(pool_kind_of(request, 3), "request");
	ck_assert_str_eq(pool_kind_of(lua, 2), "lua");
	ck_assert_str_eq(pool_kind_of(far, 5), "other");
	ck_assert_str_eq(pool_kind_of(unknown, 2), "other");
	ck_assert_str_eq(pool_kind_of(NULL, 0), "other");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_names");
	TCase *tests = tcase_create("ledger_names");
	tcase_add_loop_test(tests, owner_of_a_function, 0, sizeof owners / sizeof *owners);
	tcase_add_test(tests, a_name_that_does_not_fit);
	tcase_add_test(tests, kind_of_a_pool);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
