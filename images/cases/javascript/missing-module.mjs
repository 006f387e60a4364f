import { answer } from 'a-module-that-is-not-there';

export const handler = async (event) => answer(event);
