/** Squares a number; seven fails once in a while, to show a retry. */
export async function handler(event, context) {
  if (event === 7 && context.task.attempt === 0) {
    const error = new Error('seven is flaky the first time');
    error.name = 'Flaky';
    throw error;
  }
  return event * event;
}
