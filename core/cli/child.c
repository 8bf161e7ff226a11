/* SPDX-License-Identifier: Apache-2.0 */
/* Runs code of plugins in a child process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmm/support.h>

#include "cli/child.h"
#include "config/config.h"

#define ANSWER_BYTES_MAX ((size_t)16 * 1024 * 1024)

/*
 * The answer: a byte 'O' or 'E', then the text or the error's text. It is written when the work is
 * done, so a plugin that calls exit() leaves none.
 */
#define ANSWER_OK    'O'
#define ANSWER_ERROR 'E'

/* Without streams: the plugin is not to blame. */
static _Noreturn void give_up(int fd)
{
	static const char answer[] = {ANSWER_ERROR, 'n', 'o', ' ', 'm', 'e', 'm', 'o', 'r', 'y'};
	ssize_t done = write(fd, answer, sizeof(answer));

	_exit(done == (ssize_t)sizeof(answer) ? 0 : 1);
}

static void run_in_child(child_work work, void *ctx, int fd)
{
	static const struct rlimit no_core = {0, 0};
	char text[CONFIG_ERROR_BYTES] = "";
	struct vmm_error error = {sizeof(error), text, sizeof(text)};
	char *answer = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&answer, &bytes);
	FILE *out = fdopen(fd, "w");
	int ret;

	if (!memory || !out)
		give_up(fd);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGALRM, SIG_DFL);
	alarm(CHILD_SECONDS);
	ret = work(ctx, memory, &error);
	if (fclose(memory))
		_exit(1);
	fprintf(out, "%c%s", ret ? ANSWER_ERROR : ANSWER_OK, ret ? text : answer);
	_exit(fflush(out) ? 1 : 0);
}

static int read_answer(int fd, char **ret_answer, struct vmm_error *error)
{
	char *answer = malloc(ANSWER_BYTES_MAX + 1);
	size_t have = 0;
	ssize_t got = 1;

	if (!answer) {
		vmm_set_error(error, "no memory");
		return VMM_E_NOMEM;
	}
	while (have < ANSWER_BYTES_MAX && got) {
		got = read(fd, answer + have, ANSWER_BYTES_MAX - have);
		if (got < 0 && errno != EINTR) {
			vmm_set_error(error, "what a process says of a plugin cannot be read: %s",
				strerror(errno));
			free(answer);
			return VMM_E_IO;
		}
		if (got > 0)
			have += (size_t)got;
	}
	answer[have] = '\0';
	*ret_answer = answer;
	return 0;
}

static int wait_for(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return status;
}

static int judge(char *answer, int status, char **ret_text, struct vmm_error *error)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		vmm_set_error(error, "did not answer within %u s", CHILD_SECONDS);
		return VMM_E_GONE;
	}
	if (WIFSIGNALED(status)) {
		vmm_set_error(error, "crashed (%s)", strsignal(WTERMSIG(status)));
		return VMM_E_GONE;
	}
	if (WEXITSTATUS(status) || !answer[0]) {
		vmm_set_error(error, "ended the process with exit status %d", WEXITSTATUS(status));
		return VMM_E_GONE;
	}
	if (answer[0] != ANSWER_OK) {
		vmm_set_error(error, "%s", answer + 1);
		return VMM_E_INVAL;
	}
	*ret_text = strdup(answer + 1);
	if (*ret_text)
		return 0;
	vmm_set_error(error, "no memory");
	return VMM_E_NOMEM;
}

int child_run(child_work work, void *ctx, char **ret_text, struct vmm_error *error)
{
	char *answer = NULL;
	int fds[2];
	pid_t child;
	int status;
	int ret;

	fflush(NULL);
	if (pipe2(fds, O_CLOEXEC)) {
		vmm_set_error(error, "no pipe can be made: %s", strerror(errno));
		return VMM_E_IO;
	}
	child = fork();
	if (child < 0) {
		vmm_set_error(error, "no process can be made: %s", strerror(errno));
		close(fds[0]);
		close(fds[1]);
		return VMM_E_IO;
	}
	if (!child) {
		close(fds[0]);
		run_in_child(work, ctx, fds[1]);
	}
	close(fds[1]);
	ret = read_answer(fds[0], &answer, error);
	close(fds[0]);
	status = wait_for(child);
	if (!ret)
		ret = judge(answer, status, ret_text, error);
	free(answer);
	return ret;
}
