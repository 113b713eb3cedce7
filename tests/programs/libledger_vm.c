/* SPDX-License-Identifier: BSD-2-Clause */
/* libledger_vm.c - creates LuaJIT VMs from functions named as those of nginx's Lua modules, for ledger_vm.c. */

void *ngx_http_lua_init_vm(void *(*newstate)(void));
void *ngx_stream_lua_init_vm(void *(*newstate)(void));

void *ngx_http_lua_init_vm(void *(*newstate)(void))
{
	void *vm = newstate();
	__asm__ volatile("" : : "r"(vm)); /* a call, not a jump */
	return vm;
}

void *ngx_stream_lua_init_vm(void *(*newstate)(void))
{
	void *vm = newstate();
	__asm__ volatile("" : : "r"(vm));
	return vm;
}
