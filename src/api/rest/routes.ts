/** The REST face. */
import { Router } from 'express';
import { ApiError } from '../../wire/errors.js';
import type { ApiContext } from '../context.js';
import { sendProblem } from './problem.js';

export function restFace(api: ApiContext): Router {
  const router = Router();
  router.use((_request, response) => {
    sendProblem(api, response, new ApiError('UnknownOperationException', 'There is no such route.'));
  });
  return router;
}
